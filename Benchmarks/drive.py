"""Runs the benchmark: both workers by turns, then results.json and RESULTS.md.

    Scripts/bench [--only softmax,mlp_step] [--rounds 5]

A worker reads one JSON command per line and answers with one JSON line (see peer.py). In every
round each side runs each workload for a few steps after 3 warm-ups, the sides in turn, so that a
disturbance of the machine meets them alike; the figures are medians over all rounds.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
THREADS, WARMUP, LEAST_STEPS = 2, 3, 15


# What a workload needs at least, whoever computes it -----------------------------------------

@dataclasses.dataclass
class Need:
    steps: int  # in each round
    gflop: float  # multiplications and additions of products and convolutions, in 10^9
    megabytes: float  # that must pass through memory once nothing stays in the caches
    limit: str  # what bounds it, in words


def training_bytes(parameters, kept):
    """Adam reads four numbers and writes three per parameter, whose gradient is written before;
    each kept activation is written, read by the next operation and again on the way back, where
    its gradient is written and read."""
    return 4 * (8 * parameters + 5 * kept) / 1e6


def transformer(batch, tokens, width, depth, inputs, outputs, embedding, seen=1.0):
    """Gflop and bytes of a training step. `seen` is the share of the scores that a mask leaves;
    `embedding` the multiply-accumulates per token of the first layer, which needs no gradient of
    its input; `outputs` those of the head over the whole batch."""
    rows = batch * tokens
    dense = 12 * width * width * depth * rows
    scores = 2 * tokens * seen * width * depth * rows
    gflop = 2 * (3 * (dense + scores + outputs) + 2 * embedding * rows) / 1e9
    parameters = depth * (12 * width * width + 13 * width) + tokens * width + inputs * width
    return gflop, training_bytes(parameters, rows * width * (16 * depth + 2))


VIT = transformer(64, 49, 128, 4, inputs=16, outputs=64 * 128 * 10, embedding=16 * 128)
CHAR = transformer(16, 256, 128, 4, inputs=2 * 96, outputs=16 * 256 * 128 * 96, embedding=0,
                   seen=257 / 512)
IMAGE_64 = 4 * 64 * 256 * 256 / 1e6
CONVNET = 2 * 128 * (2 * 784 * 9 * 32 + 3 * (196 * 288 * 64 + 3136 * 128 + 1280)) / 1e9
NEEDS = {
    "matmul_1024": Need(10, 2 * 1024**3 / 1e9, 3 * 4 * 1024**2 / 1e6,
                        "arithmetic: one product, which also sets the product rate"),
    "softmax": Need(15, 0, 2 * IMAGE_64, "bytes: one reading and one writing; exp hides behind"),
    "layernorm_fwd_bwd": Need(15, 0, 5 * IMAGE_64,
                              "bytes: x in, y out; x and its cotangent in, gradient out"),
    "conv3x3_fwd_bwd": Need(
        5, 3 * 2 * 32 * 1024 * 9 * 32 * 64 / 1e9, 4 * (3 * 2**20 + 3 * 2**21) / 1e6,
        "arithmetic: three products over 288 x 64 (both sides may run oneDNN here)"),
    "depthwise7x7_fwd_bwd": Need(
        5, 3 * 2 * 32 * 64 * 784 * 49 / 1e9, 5 * 4 * 32 * 64 * 784 / 1e6,
        "arithmetic without reuse between channels: fused multiply-adds fed from the first cache"),
    "mlp_step": Need(
        40, 2 * 128 * (2 * 784 * 256 + 3 * 2560) / 1e9,
        training_bytes(203530, 128 * (256 * 2 + 10)),
        "arithmetic, close to the fixed cost of some twenty calls; all of it fits the caches"),
    "vit_tiny_step": Need(
        5, *VIT, "arithmetic of the products; then GELU, norms and residuals over 3,136 tokens"),
    "char_lm_step": Need(
        5, *CHAR, "arithmetic of the products (causal half of the scores counted); then "
        "exp of the scores, GELU and norms over 4,096 tokens"),
    "convnet_step": Need(
        5, CONVNET, training_bytes(421642, 128 * (784 * 32 * 5 // 4 + 196 * 64 * 5 // 4 + 138)),
        "arithmetic of the second convolution and bytes of the first, whose one input channel "
        "makes it all output"),
}


# The two sides -------------------------------------------------------------------------------

class Failure(Exception):
    """What a worker answered instead of a measurement."""


class Worker:
    def __init__(self, name, command):
        self.name = name
        self.complaints = tempfile.TemporaryFile("w+")
        settings = {key: value for key, value in os.environ.items()
                    if not key.startswith(("OMP_", "GOMP_", "MKL_", "OPENBLAS_"))}
        settings["OMP_NUM_THREADS"] = settings["CALLOSUM_BENCH_THREADS"] = str(THREADS)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints,
            text=True, env=settings)

    def ask(self, **command):
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


def measure(name, workers, rounds):
    """Milliseconds of every step by variant: callosum, eager, compile."""
    variants = {"callosum": ("callosum", {}), "eager": ("peer", {"mode": "eager"}),
                "compile": ("peer", {"mode": "compile"})}
    times, failures = {variant: [] for variant in variants}, {}
    steps = max(NEEDS[name].steps, math.ceil(LEAST_STEPS / rounds))
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
    return {variant: steps for variant, steps in times.items() if variant not in failures}


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


def summary(name, times):
    """One entry of results.json."""
    medians = {variant: statistics.median(values) for variant, values in times.items()}
    mode = min((variant for variant in medians if variant != "callosum"), key=medians.get)
    entry = {
        "name": name, "callosum_ms": round(medians["callosum"], 4),
        "peer_ms": round(medians[mode], 4), "peer_mode": mode,
        "ratio": round(medians[mode] / medians["callosum"], 3),
        "callosum_quartiles_ms": quartiles(times["callosum"]),
        "peer_quartiles_ms": quartiles(times[mode]), "steps": len(times["callosum"])}
    return entry | {f"{variant}_ms": round(median, 4) for variant, median in medians.items()}


# The report ----------------------------------------------------------------------------------

def machine():
    def first(path, key):
        with open(path) as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), "")

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


def floors(entry, product_rate, copy_rate):
    """How long the arithmetic takes at the product rate, and the bytes at the copying rate."""
    need = NEEDS[entry["name"]]
    arithmetic, traffic = need.gflop / product_rate * 1e3, need.megabytes / copy_rate
    return {"gflop": round(need.gflop, 4), "megabytes": round(need.megabytes, 2),
            "arithmetic_ms": round(arithmetic, 4), "bytes_ms": round(traffic, 4),
            "product_rate_share": round(arithmetic / entry["callosum_ms"], 3)}


def table(results):
    lines = ["| workload | Callosum ms | PyTorch ms | mode | ratio |", "| --- | ---: | ---: | --- | ---: |"]
    lines += [f"| `{one['name']}` | {one['callosum_ms']:.3g} | {one['peer_ms']:.3g} | "
              f"{one['peer_mode']} | {one['ratio']:.2f} |" for one in results["workloads"]]
    return lines + ["", f"Geometric mean of the ratios: **{results['geometric_mean']:.2f}**"]


def report(results):
    workloads = results["workloads"]
    peer = results["versions"].get("peer", {}).get("torch", "")
    lines = [
        "# Benchmark results", "", "Written by `Scripts/bench`; `results.json` holds the figures.", "",
        f"Machine: {results['machine']}; {THREADS} threads on both sides, float32. "
        f"PyTorch {peer}, commit {results['versions']['commit']}.", "",
        "Medians of the steps of all rounds, the sides in turn. PyTorch is the faster of eager and "
        "`torch.compile`; ratio is its time over ours.", "", *table(results), "",
        "## What limits each", "",
        f"This machine, in this run: {results['product_gflops']:.0f} GFLOP/s in a product of 1024³, "
        f"{results['copy_gb_per_s']:.1f} GB/s copying 64 MB. The arithmetic is what the workload "
        "needs, the bytes what must pass if nothing stays in the caches (what does stay is faster "
        "than this bound). Share: the arithmetic at the product rate, over our time.", "",
        "| workload | GFLOP | at product rate, ms | MB | at copying rate, ms | ours, ms | share | limit |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    lines += [f"| `{one['name']}` | {one['gflop']:.3g} | {one['arithmetic_ms']:.3g} | "
              f"{one['megabytes']:.3g} | {one['bytes_ms']:.3g} | {one['callosum_ms']:.3g} | "
              f"{100 * one['product_rate_share']:.0f} % | {NEEDS[one['name']].limit} |"
              for one in workloads]
    lines += ["", "## Spread and memory", "",
              "Quartiles of the steps; peak memory of a fresh process that runs the workload alone, "
              "libraries included (PyTorch in eager mode), in brackets before the workload was made.", "",
              "| workload | Callosum ms | PyTorch ms | Callosum MB | PyTorch MB |",
              "| --- | ---: | ---: | ---: | ---: |"]
    for one in workloads:
        ours, theirs = ("{:.3g} to {:.3g}".format(*one[f"{side}_quartiles_ms"])
                        for side in ("callosum", "peer"))
        memory = [f"{one[f'{side}_peak_mb']:.0f}" + (
            f" ({one[f'{side}_start_mb']:.0f})" if f"{side}_start_mb" in one else "")
            for side in ("callosum", "peer")]
        lines.append(f"| `{one['name']}` | {ours} | {theirs} | {memory[0]} | {memory[1]} |")
    return "\n".join(lines) + "\n"


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
                        help="just these workloads; prints, and leaves the result files alone")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    options = parser.parse_args()
    options.names = [name for name in options.only.split(",") if name] or list(NEEDS)
    unknown = [name for name in options.names if name not in NEEDS]
    if unknown:
        parser.error(f"no workload {', '.join(unknown)}; there are {', '.join(NEEDS)}")
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
        times = measure(name, workers, options.rounds)
        if "callosum" not in times or len(times) < 2:
            missing.append(name)
            continue
        entries.append(summary(name, times))
        print("{name}: {callosum_ms:.3g} ms, PyTorch {peer_ms:.3g} ms ({peer_mode}), "
              "ratio {ratio:.2f}".format(**entries[-1]), flush=True)
    product = next((one["callosum_ms"] for one in entries if one["name"] == "matmul_1024"), None)
    if product is None and entries:
        product = statistics.median(workers["callosum"].ask(
            workload="matmul_1024", steps=LEAST_STEPS, warmup=WARMUP)["milliseconds"])
    for worker in workers.values():
        worker.close()
    if entries:
        results["product_gflops"] = round(NEEDS["matmul_1024"].gflop / product * 1e3, 1)
        results["copy_gb_per_s"] = round(copy_rate, 2)
        results["geometric_mean"] = round(statistics.geometric_mean(
            one["ratio"] for one in entries), 3)
        results["workloads"] = [
            one | floors(one, results["product_gflops"], copy_rate) | peak_memory(one["name"], commands)
            for one in entries]
        if options.only or missing:
            print("\n" + report(results))
        else:
            written(HERE / "results.json", json.dumps(results, indent=2) + "\n")
            written(HERE / "RESULTS.md", report(results))
            print("\n" + "\n".join(table(results)))
    if missing:
        sys.exit(f"not measured, so the result files stay as they are: {', '.join(missing)}")


if __name__ == "__main__":
    main()
