"""RESULTS.md from the figures of a run."""

import statistics

from curves import section
from needs import ALL
from systems import SYSTEMS

SMALL_OPERATIONS = 200  # elementwise, in a step of `small_ops`


def floors(entry, product_rate, copy_rate):
    """How long the arithmetic takes at the product rate, and the bytes at the copying rate."""
    need = ALL[entry["name"]]
    arithmetic, traffic = need.gflop / product_rate * 1e3, need.megabytes / copy_rate
    return {"gflop": round(need.gflop, 4), "megabytes": round(need.megabytes, 2),
            "arithmetic_ms": round(arithmetic, 4), "bytes_ms": round(traffic, 4),
            "product_rate_share": round(arithmetic / entry["callosum_ms"], 3)}


def parts(entries):
    """Operations, networks and tasks of the engine apart from published systems, each with its entries."""
    both = (("engine", False), ("systems", True))
    found = [(part, [one for one in entries if (one["name"] in SYSTEMS) == is_system])
             for part, is_system in both]
    return [(part, members) for part, members in found if members]


def tables(results):
    lines = []
    for part, members in parts(results["workloads"]):
        lines += ["", f"## The {part}", "", *table(members),
                  f"Geometric mean of the ratios: **{results['geometric_mean'][part]:.2f}**, median "
                  f"{statistics.median(one['ratio'] for one in members):.2f}"]
    return lines


def table(entries):
    lines = ["| workload | Callosum ms | PyTorch ms | mode | ratio |",
             "| --- | ---: | ---: | --- | ---: |"]
    lines += [f"| `{one['name']}` | {one['callosum_ms']:.3g} | {one['peer_ms']:.3g} | "
              f"{one['peer_mode']} | {one['ratio']:.2f} |" for one in entries]
    disturbed = [f"`{one['name']}`" for one in entries if one["disturbed"]]
    if disturbed:
        lines += ["", f"Something else used the machine during {', '.join(disturbed)}: run again."]
    lines += [""] + [
        f"`{one['name']}`: {variant} left out, {reason}." for one in entries
        for variant, reason in one.get("left_out", {}).items()]
    small = next((one for one in entries if one["name"] == "small_ops"), None)
    if small:
        ours, theirs = (1e3 * small[f"{side}_ms"] / SMALL_OPERATIONS for side in ("callosum", "peer"))
        lines += ["", f"One operation of `small_ops` on 64 numbers, recorded, and its derivative: "
                  f"{ours:.2f} µs, PyTorch {theirs:.2f} µs ({small['peer_mode']})."]
    return lines + [""]


def report(results):
    workloads = results["workloads"]
    peer = results["versions"].get("peer", {}).get("torch", "")
    lines = [
        "# Benchmark results", "",
        "Written by `Scripts/bench`; `results.json` holds the figures.", "",
        f"Machine: {results['machine']}; {results['threads']} threads on both sides, float32. "
        f"PyTorch {peer}, commit {results['versions']['commit']}.", "",
        "Medians of the steps of all rounds, the sides in turn. PyTorch is the faster of eager and "
        "`torch.compile`; ratio is its time over ours.", *tables(results), "",
        "## What limits each", "",
        f"This machine, in this run: {results['product_gflops']:.0f} GFLOP/s in a product of "
        f"1024³, {results['copy_gb_per_s']:.1f} GB/s copying 64 MB. The arithmetic is what the workload "
        "needs, the bytes what must pass if nothing stays in the caches (what does stay is faster "
        "than this bound). Share: the arithmetic at the product rate, over our time.", "",
        "| workload | GFLOP | at product rate, ms | MB | at copying rate, ms | ours, ms | share "
        "| limit |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    lines += [f"| `{one['name']}` | {one['gflop']:.3g} | {one['arithmetic_ms']:.3g} | "
              f"{one['megabytes']:.3g} | {one['bytes_ms']:.3g} | {one['callosum_ms']:.3g} | "
              f"{100 * one['product_rate_share']:.0f} % | {ALL[one['name']].limit} |"
              for one in workloads]
    lines += ["", "## Spread and memory", "",
              "Quartiles of the steps; peak memory of a fresh process that runs the workload alone, "
              "libraries included (PyTorch in eager mode); in brackets before the workload was made.",
              "",
              "| workload | Callosum ms | PyTorch ms | Callosum MB | PyTorch MB |",
              "| --- | ---: | ---: | ---: | ---: |"]
    for one in workloads:
        ours, theirs = ("{:.3g} to {:.3g}".format(*one[f"{side}_quartiles_ms"])
                        for side in ("callosum", "peer"))
        memory = [f"{one[f'{side}_peak_mb']:.0f}" + (
            f" ({one[f'{side}_start_mb']:.0f})" if f"{side}_start_mb" in one else "")
            for side in ("callosum", "peer")]
        lines.append(f"| `{one['name']}` | {ours} | {theirs} | {memory[0]} | {memory[1]} |")
    if results["curves"]:
        lines += ["", *section(results["curves"])]
    return "\n".join(lines) + "\n"
