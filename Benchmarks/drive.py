"""Runs the benchmark: both workers by turns, then results.json and RESULTS.md.

    Scripts/bench [--only softmax,mlp_step] [--rounds 5]

A worker reads one JSON command per line and answers with one JSON line (see peer.py). In every
round each side runs each workload for a few steps after 3 warm-ups, the sides in turn, so that a
disturbance of the machine meets them alike; the figures are medians over all rounds.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import curves
from needs import ALL
from report import floors, parts, report, tables
from systems import SYSTEMS

TICKS = os.sysconf("SC_CLK_TCK")
HERE = pathlib.Path(__file__).resolve().parent
THREADS, WARMUP, LEAST_STEPS = 2, 3, 15
# Share of the processors' time that others may take before a measurement counts as disturbed.
CALM, ATTEMPTS = 0.05, 3


def busy_seconds():
    """Processor time that the whole machine has spent on anything."""
    user, nice, system, _, _, *rest = map(
        int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + sum(rest[:3])) / TICKS


class Failure(Exception):
    """What a worker answered instead of a measurement."""


class Worker:
    def __init__(self, name, command):
        self.name = name
        self.complaints = tempfile.TemporaryFile("w+")
        settings = {key: value for key, value in os.environ.items()
                    if not key.startswith(("OMP_", "GOMP_", "MKL_", "OPENBLAS_"))}
        settings["OMP_NUM_THREADS"] = settings["CALLOSUM_BENCH_THREADS"] = str(THREADS)
        self.seconds = self.others = 0.0  # processor time there was, and what others took of it
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints,
            text=True, env=settings)

    def ask(self, **command):
        start, busy, own = time.monotonic(), busy_seconds(), self.own_seconds()
        answer = self.answer_to(command)
        self.seconds += (time.monotonic() - start) * os.cpu_count()
        self.others += max(0, busy_seconds() - busy - (self.own_seconds() - own))
        return answer

    def own_seconds(self):
        """Processor time of the worker and of the compilers it started."""
        try:
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1]
        except OSError:
            return 0.0
        return sum(map(int, fields.split()[11:15])) / TICKS

    def answer_to(self, command):
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.complaints.seek(0)
            tail = self.complaints.read().strip().splitlines()[-1:] or ["without a word"]
            raise SystemExit(f"the {self.name} worker ended ({tail[0]}) at {json.dumps(command)}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(name, workers):
    """Stops unless both sides compute the same."""
    ours, theirs = (workers[side].ask(workload=name, measure="compared")["compared"]
                    for side in ("callosum", "peer"))
    apart = max((abs(a - b) / max(abs(a), abs(b), 1e-30) for a, b in zip(ours, theirs)), default=0)
    if len(ours) != len(theirs) or apart > SYSTEMS[name].apart:
        raise SystemExit(f"{name}: the sides differ, {ours} against {theirs}")


def measure(name, workers, rounds):
    """Milliseconds of every step by variant (callosum, eager, compile), and why one has none."""
    variants = {"callosum": ("callosum", {}), "eager": ("peer", {"mode": "eager"}),
                "compile": ("peer", {"mode": "compile"})}
    times, failures = {variant: [] for variant in variants}, {}
    steps = max(ALL[name].steps, math.ceil(LEAST_STEPS / rounds))
    for turn in range(rounds):
        order = list(variants)
        for variant in order[turn % 3:] + order[:turn % 3]:
            side, mode = variants[variant]
            if variant in failures:
                continue
            try:
                times[variant] += workers[side].ask(
                    workload=name, steps=steps, warmup=WARMUP, **mode)["milliseconds"]
            except Failure as failure:
                failures[variant] = str(failure)
                print(f"  {name}: {variant} left out: {failure}", file=sys.stderr)
    return {variant: steps for variant, steps in times.items() if variant not in failures}, failures


def measure_calmly(name, workers, rounds):
    """Measures again where others used the machine, which hits the two sides unequally (threads
    that wait for each other suffer most), and keeps the calmest attempt with the others' share."""
    attempts = []
    for _ in range(ATTEMPTS):
        for worker in workers.values():
            worker.seconds = worker.others = 0.0
        times, failures = measure(name, workers, rounds)
        if "callosum" not in times or len(times) < 2:
            return None
        others = sum(worker.others for worker in workers.values())
        attempts.append((others / sum(worker.seconds for worker in workers.values()), times, failures))
        if attempts[-1][0] <= CALM:
            break
    return min(attempts, key=lambda attempt: attempt[0])


def peak_memory(name, commands):
    """The most memory a fresh process holds over a few steps, in MB; PyTorch runs eager, which
    spares it the compiler's own memory."""
    peaks = {}
    for side, command in commands.items():
        worker = Worker(side, command)
        answer = worker.ask(workload=name, measure="memory", steps=3, warmup=WARMUP)
        worker.close()
        peaks[f"{side}_peak_mb"] = round(answer["peak_mb"], 1)
        if "start_mb" in answer:
            peaks[f"{side}_start_mb"] = round(answer["start_mb"], 1)
    return peaks


def quartiles(values):
    first, _, third = statistics.quantiles(values, n=4)
    return [round(first, 4), round(third, 4)]


def summary(name, others, times, failures):
    """One entry of results.json."""
    medians = {variant: statistics.median(values) for variant, values in times.items()}
    mode = min((variant for variant in medians if variant != "callosum"), key=medians.get)
    entry = {
        "name": name, "callosum_ms": round(medians["callosum"], 4),
        "peer_ms": round(medians[mode], 4), "peer_mode": mode,
        "ratio": round(medians[mode] / medians["callosum"], 3),
        "callosum_quartiles_ms": quartiles(times["callosum"]),
        "peer_quartiles_ms": quartiles(times[mode]), "steps": len(times["callosum"]),
        "others_share": round(others, 3),
        "disturbed": others > CALM}
    if failures:
        entry["left_out"] = failures
    return entry | {f"{variant}_ms": round(median, 4) for variant, median in medians.items()}


def machine():
    def first(path, key):
        with open(path) as file:
            lines = [line for line in file if line.startswith(key)]
        return lines[0].split(":", 1)[1].strip() if lines else ""

    memory = int(first("/proc/meminfo", "MemTotal").split()[0]) / 2**20
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    processor = first("/proc/cpuinfo", "model name") or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {memory:.0f} GB, {system}"


def versions(workers):
    found = {}
    for side, worker in workers.items():
        try:
            found[side] = worker.ask(measure="versions")["versions"]
        except (Failure, KeyError):
            pass
    commit = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"],
                            capture_output=True, text=True)
    return {**found, "commit": commit.stdout.strip()}


def written(path, text):
    """All or nothing: a reader never meets half a file."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(text)
    partial.replace(path)


def arguments():
    parser = argparse.ArgumentParser(prog="Scripts/bench", description="Compare with PyTorch.")
    parser.add_argument("--callosum", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--peer", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", metavar="NAME,NAME",
                        help="just these workloads and curves; prints, and leaves the result "
                        "files alone")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    options = parser.parse_args()
    known = list(ALL) + list(curves.CURVES)
    chosen = [name for name in options.only.split(",") if name] or known
    unknown = [name for name in chosen if name not in known]
    if unknown:
        parser.error(f"no workload {', '.join(unknown)}; there are {', '.join(known)}")
    options.names = [name for name in chosen if name in ALL]
    options.curves = [name for name in chosen if name in curves.CURVES]
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, is {options.rounds}")
    return options


def main():
    options = arguments()
    commands = {"callosum": [options.callosum], "peer": [options.peer, str(HERE / "peer.py")]}
    workers = {side: Worker(side, command) for side, command in commands.items()}
    results = {"machine": machine(), "versions": versions(workers), "threads": THREADS}
    copy_rate = workers["peer"].ask(measure="copy_rate")["gigabytes_per_second"]
    entries, missing = [], []
    for name in options.names:
        if name in SYSTEMS:
            compare(name, workers)
    for name in options.names:
        measured = measure_calmly(name, workers, options.rounds)
        if measured is None:
            missing.append(name)
            continue
        entries.append(summary(name, *measured))
        print("{name}: {callosum_ms:.3g} ms, PyTorch {peer_ms:.3g} ms ({peer_mode}), "
              "ratio {ratio:.2f}".format(**entries[-1])
              + (", disturbed" if entries[-1]["disturbed"] else ""), flush=True)
    product = next((one["callosum_ms"] for one in entries if one["name"] == "matmul_1024"), None)
    if product is None and entries:
        product = statistics.median(workers["callosum"].ask(
            workload="matmul_1024", steps=LEAST_STEPS, warmup=WARMUP)["milliseconds"])
    results["curves"] = [curves.measure(name, workers, options.rounds) for name in options.curves]
    for worker in workers.values():
        worker.close()
    if not entries:
        print("\n".join(curves.section(results["curves"])))
    else:
        results["product_gflops"] = round(ALL["matmul_1024"].gflop / product * 1e3, 1)
        results["copy_gb_per_s"] = round(copy_rate, 2)
        results["geometric_mean"] = {
            part: round(statistics.geometric_mean(one["ratio"] for one in members), 3)
            for part, members in parts(entries)}
        results["workloads"] = [
            one | floors(one, results["product_gflops"], copy_rate)
            | peak_memory(one["name"], commands) for one in entries]
        if options.only or missing:
            print("\n" + report(results))
        else:
            written(HERE / "results.json", json.dumps(results, indent=2) + "\n")
            written(HERE / "RESULTS.md", report(results))
            (HERE / "curves").mkdir(exist_ok=True)
            for entry in results["curves"]:
                written(HERE / curves.picture_name(entry), curves.picture(entry))
            print("\n" + "\n".join(tables(results)))
    if missing:
        sys.exit(f"not measured, so the result files stay as they are: {', '.join(missing)}")


if __name__ == "__main__":
    main()
