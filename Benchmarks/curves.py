"""How times grow: one workload at several sizes, as a table and a picture in RESULTS.md.

A curve is a name that the workers know and the values of x they are asked for; the worker gets x as
"at". PyTorch's side (eager) is optional. A point is the fastest of its steps: what else happens on
the machine only ever adds to a time.
"""

import math

from curve import Curve
from systems import CURVES as SYSTEM_CURVES

LENGTHS = [256, 512, 1024, 2048, 4096, 8192, 16384]
CURVES = {
    "delta_rule_curve": Curve(
        "Delta rule, forward and backward, 4 heads of width 32", "steps T", LENGTHS, peer=True),
    "linear_attention_curve": Curve(
        "Linear attention, forward and backward, 4 heads of width 32", "steps T", LENGTHS, peer=True),
    "gated_linear_attention_curve": Curve(
        "Linear attention with a decay for each head, forward and backward, 4 heads of width 32",
        "steps T", LENGTHS, peer=True),
    "linear_recurrence_curve": Curve(
        "Linear recurrence, forward and backward, 64 channels", "steps T", LENGTHS),
    "lif_rate_curve": Curve(
        "A step of lif_snn_step by the share of its inputs that spike", "share of spikes",
        [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5], peer=True, logarithmic=False),
} | {name: curve for name, (curve, _) in SYSTEM_CURVES.items()}
SIDES = {"callosum": "Callosum", "peer": "PyTorch"}


def measure(name, workers, rounds):
    """One entry of "curves" in results.json."""
    curve = CURVES[name]
    sides = [side for side in SIDES if side == "callosum" or curve.peer]
    points = []
    for at in curve.points:
        times = {side: [] for side in sides}
        for turn in range(rounds):
            for side in sides if turn % 2 == 0 else reversed(sides):
                times[side] += workers[side].ask(
                    workload=name, at=at, steps=5, warmup=2)["milliseconds"]
        points.append({"x": at} | {f"{side}_ms": round(min(times[side]), 4) for side in sides})
    entry = {"name": name, "x": curve.x, "points": points}
    if curve.logarithmic:
        entry |= {f"{side}_slope": round(slope(points, side), 3) for side in sides}
    return entry


def slope(points, side):
    """Of the least-squares line through log time against log x: 1 where time is proportional to x."""
    pairs = [(math.log(point["x"]), math.log(point[f"{side}_ms"])) for point in points]
    middle = [sum(values) / len(pairs) for values in zip(*pairs)]
    return (sum((x - middle[0]) * (y - middle[1]) for x, y in pairs)
            / sum((x - middle[0]) ** 2 for x, _ in pairs))


def sides_of(entry):
    return [side for side in SIDES if f"{side}_ms" in entry["points"][0]]


def section(entries):
    """The lines of RESULTS.md."""
    lines = ["## Curves", "", "The fastest of the steps at each point; PyTorch eager. Slope: that of log "
             "time against log x, 1 where time is proportional to x."]
    for entry in entries:
        sides = sides_of(entry)
        lines += ["", f"### {CURVES[entry['name']].title}", "", f"![{entry['name']}]({picture_name(entry)})",
                  "", f"| {entry['x']} | " + " | ".join(f"{SIDES[side]} ms" for side in sides) + " |",
                  "| ---: |" + " ---: |" * len(sides)]
        lines += [f"| {point['x']} | " + " | ".join(f"{point[f'{side}_ms']:.3g}" for side in sides) + " |"
                  for point in entry["points"]]
        slopes = [f"{SIDES[side]} {entry[f'{side}_slope']:.2f}" for side in sides
                  if f"{side}_slope" in entry]
        if slopes:
            lines += ["", f"Slope: {', '.join(slopes)}"]
    return lines


def picture_name(entry):
    return f"curves/{entry['name']}.svg"


def picture(entry):
    """The points of both sides, joined by lines, as SVG."""
    curve, sides = CURVES[entry["name"]], sides_of(entry)
    width, height, left, bottom, top, right = 560, 320, 64, 48, 16, 96
    scale = math.log10 if curve.logarithmic else float
    xs = [scale(point["x"]) for point in entry["points"]]
    times = [point[f"{side}_ms"] for point in entry["points"] for side in sides]
    low, high = (math.floor(scale(min(times))), math.ceil(scale(max(times)))) \
        if curve.logarithmic else (0, max(times))

    def place(x, y):
        across = (x - min(xs)) / ((max(xs) - min(xs)) or 1)
        up = (y - low) / ((high - low) or 1)
        return left + across * (width - left - right), height - bottom - up * (height - bottom - top)

    ticks = [(10**power, power) for power in range(low, high + 1)] if curve.logarithmic \
        else [(high * part / 4, high * part / 4) for part in range(5)]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for value, at in ticks:
        x, y = place(min(xs), at)
        parts += [f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{width - right}" y2="{y:.1f}" stroke="#ddd"/>',
                  f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>']
    for point, at in zip(entry["points"], xs):
        x, y = place(at, low)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{point["x"]}</text>')
    parts += [f'<text x="{(left + width - right) / 2}" y="{height - 10}" text-anchor="middle">'
              f'{entry["x"]}</text>',
              f'<text x="14" y="{height / 2}" text-anchor="middle" '
              f'transform="rotate(-90 14 {height / 2})">milliseconds</text>']
    for side, colour in zip(sides, ("#0b6", "#a42")):
        line = [place(at, scale(point[f"{side}_ms"])) for point, at in zip(entry["points"], xs)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:.1f},{y:.1f}" for x, y in line) + '"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in line]
        parts.append(f'<text x="{line[-1][0] + 8:.1f}" y="{line[-1][1] + 4:.1f}" fill="{colour}">'
                     f'{SIDES[side]}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"
