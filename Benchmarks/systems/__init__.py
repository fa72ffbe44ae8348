"""The published systems in PyTorch: a training step of each, or what takes the time in it, at the sizes of
its claim or of its paper. Where the authors have code, the algorithm is theirs; the data are those of
Sources/bench/Systems/, and the driver checks that both sides find the same before it measures.

A system is a file of this folder; nothing lists them. Its `WORKLOADS` hold a `System` for each name. Its
`CURVES`, if the cost of the mechanism is its point, hold for each name what the curve shows (a `Curve`) and
what makes PyTorch's step from x, or None.
"""

import importlib
import pathlib

SYSTEMS, CURVES = {}, {}
for file in sorted(pathlib.Path(__file__).parent.glob("*.py")):
    if file.stem == "__init__":
        continue
    module = importlib.import_module(f"{__name__}.{file.stem}")
    for known, added in ((SYSTEMS, module.WORKLOADS), (CURVES, getattr(module, "CURVES", {}))):
        twice = known.keys() & added.keys()
        if twice:
            raise ValueError(f"{file.name}: another system has {', '.join(sorted(twice))} too")
        known.update(added)
