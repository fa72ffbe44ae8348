"""Operations that move numbers: views, joins, gathers, scatters, windows."""

import torch
from torch.nn import functional as F

from golden import operation


def one_input(name, function, arguments_of, rows):
    """Rows are (label, shape, layout, *arguments); `arguments_of` names them for the file."""

    @operation(name)
    def describe(g):
        for label, shape, layout, *arguments in rows:
            value = g.normal(*shape)
            if layout.startswith("expanded"):
                value = (value, 5)
            g.case(label, lambda x: function(x, *arguments), {"x": value},
                   dict(zip(arguments_of, arguments)), {"x": layout})


one_input("reshape", lambda x, shape: x.reshape(shape), ["shape"], [
    ("scalar to vector", (), "contiguous", [1]), ("vector to scalar", (1,), "contiguous", []),
    ("join", (3, 5, 7), "contiguous", [15, 7]), ("split", (6, 7), "contiguous", [2, 3, 7, 1]),
    ("transposed", (3, 5, 7), "transposed", [7, 15]), ("sliced", (4, 9), "sliced", [2, 18]),
    ("expanded", (3, 1), "expanded:1", [5, 3]), ("empty", (0, 5), "contiguous", [5, 0, 3]),
    ("size one axes", (1, 7, 1), "contiguous", [7]),
    ("rank five", (2, 12, 5), "contiguous", [2, 3, 1, 4, 5]),
    ("large", (33, 65), "transposed", [65, 33])])

one_input("transpose", lambda x, axes: x.permute(axes), ["axes"], [
    ("scalar", (), "contiguous", []), ("matrix", (7, 13), "contiguous", [1, 0]),
    ("rotate", (3, 5, 7), "contiguous", [2, 0, 1]), ("identity", (3, 5), "contiguous", [0, 1]),
    ("heads", (2, 5, 3, 7), "contiguous", [0, 2, 1, 3]),
    ("transposed", (4, 3, 7), "transposed", [0, 2, 1]),
    ("sliced", (5, 9), "sliced", [1, 0]), ("expanded", (1, 3, 2), "expanded:0", [2, 1, 0]),
    ("empty", (3, 0, 2), "contiguous", [1, 2, 0]),
    ("rank five", (2, 3, 1, 4, 5), "contiguous", [4, 0, 2, 1, 3]),
    ("large", (47, 61), "contiguous", [1, 0])])

one_input("broadcast", lambda x, shape: x.broadcast_to(shape), ["shape"], [
    ("scalar", (), "contiguous", [3, 5]), ("row", (7,), "contiguous", [5, 7]),
    ("column", (5, 1), "contiguous", [5, 9]), ("both sides", (1, 7, 1), "contiguous", [3, 7, 5]),
    ("new axes", (3, 1), "contiguous", [2, 1, 3, 4]), ("to empty", (1, 3), "contiguous", [0, 3]),
    ("same shape", (3, 5), "transposed", [3, 5]),
    ("transposed", (3, 1, 5), "transposed", [2, 3, 4, 5]),
    ("sliced", (1, 7), "sliced", [6, 7]), ("expanded", (1, 3), "expanded:0", [4, 5, 3]),
    ("large", (33, 1), "contiguous", [3, 33, 21])])

one_input("flip", lambda x, axes: x.flip(axes), ["axes"], [
    ("vector", (7,), "contiguous", [0]), ("rows", (5, 7), "contiguous", [0]),
    ("columns", (5, 7), "contiguous", [1]), ("both", (5, 7), "transposed", [0, 1]),
    ("negative axis", (3, 5, 7), "contiguous", [-2]), ("sliced", (5, 9), "sliced", [1]),
    ("size one axis", (3, 1, 5), "contiguous", [1]), ("empty", (0, 3), "contiguous", [0]),
    ("rank five", (2, 3, 1, 4, 2), "contiguous", [0, 3, 4]),
    ("expanded", (3, 1), "expanded:1", [0]),
    ("large", (41, 53), "contiguous", [0, 1])])

one_input("roll", lambda x, shifts, axes: x.roll(shifts, axes), ["shifts", "axes"], [
    ("vector", (7,), "contiguous", [2], [0]), ("backward", (7,), "contiguous", [-3], [0]),
    ("beyond the size", (5, 7), "contiguous", [9], [0]),
    ("nothing", (5, 7), "contiguous", [0], [1]),
    ("two axes", (5, 7), "transposed", [2, -3], [0, 1]),
    ("negative axis", (3, 5, 7), "sliced", [1], [-1]),
    ("size one axis", (3, 1), "contiguous", [1], [1]), ("empty", (0, 3), "contiguous", [1], [1]),
    ("windows", (2, 6, 5, 3), "contiguous", [-1, -2], [1, 2]),
    ("expanded", (3, 1), "expanded:1", [1], [0]),
    ("large", (41, 53), "contiguous", [17, 5], [0, 1])])

TRIANGLE = [
    ("square", (7, 7), "contiguous", 0), ("wide", (5, 9), "contiguous", 0),
    ("tall", (9, 5), "contiguous", 0),
    ("above", (6, 7), "contiguous", 2), ("below", (6, 7), "contiguous", -2),
    ("out of the corner", (3, 4), "contiguous", 7),
    ("out of the other corner", (3, 4), "contiguous", -7),
    ("batch", (3, 5, 5), "transposed", 1), ("sliced", (5, 7), "sliced", 0),
    ("rank four", (2, 3, 4, 5), "contiguous", -1),
    ("one by one", (1, 1), "contiguous", 0), ("empty", (0, 3), "contiguous", 0),
    ("expanded", (1, 4), "expanded:0", 0), ("large", (49, 51), "contiguous", 0)]
one_input("tril", torch.tril, ["diagonal"], TRIANGLE)
one_input("triu", torch.triu, ["diagonal"], TRIANGLE)

one_input("slidingWindows", lambda x, axes, window, step: x.unfold(
    axes[0], window[0], step[0]).unfold(axes[1], window[1], step[1]), ["axes", "window", "step"], [
    ("image", (2, 6, 7, 3), "contiguous", [1, 2], [3, 3], [1, 1]),
    ("patches", (2, 8, 12, 1), "contiguous", [1, 2], [4, 4], [4, 4]),
    ("asymmetric", (1, 7, 9, 2), "contiguous", [1, 2], [2, 5], [1, 2]),
    ("step leaves a rest", (2, 8, 9, 1), "contiguous", [1, 2], [3, 2], [2, 4]),
    ("step beyond window", (9, 10), "contiguous", [0, 1], [2, 2], [3, 4]),
    ("whole image", (2, 5, 4, 3), "contiguous", [1, 2], [5, 4], [1, 1]),
    ("single elements", (3, 5), "contiguous", [0, 1], [1, 1], [1, 1]),
    ("empty batch", (0, 5, 5, 2), "contiguous", [1, 2], [3, 3], [1, 1]),
    ("transposed", (5, 7), "transposed", [0, 1], [3, 2], [1, 2]),
    ("sliced", (2, 5, 6, 3), "sliced", [1, 2], [2, 2], [1, 1]),
    ("last axes", (2, 3, 6, 7), "contiguous", [2, 3], [2, 3], [2, 1]),
    ("large", (2, 12, 13, 2), "contiguous", [1, 2], [3, 3], [1, 2])])


def padded(x, widths, value):
    flat = [width for pair in reversed(widths) for width in pair]
    return F.pad(x, flat, value=value)


one_input("pad", padded, ["widths", "value"], [
    ("vector", (5,), "contiguous", [[2, 3]], 0.0),
    ("one side", (3, 5), "contiguous", [[0, 0], [0, 4]], 0.0),
    ("value", (3, 5), "transposed", [[1, 0], [2, 1]], -1.5),
    ("nothing", (3, 5), "sliced", [[0, 0], [0, 0]], 1.0),
    ("image", (2, 4, 5, 3), "contiguous", [[0, 0], [1, 1], [2, 2], [0, 0]], 0.0),
    ("from empty", (0, 3), "contiguous", [[2, 1], [0, 1]], 0.5),
    ("size one axes", (1, 1, 1), "contiguous", [[1, 0], [0, 1], [1, 1]], 2.0),
    ("rank five", (2, 1, 3, 1, 2), "contiguous", [[1, 0], [0, 1], [0, 0], [2, 0], [0, 1]], 0.0),
    ("expanded", (3, 1), "expanded:1", [[1, 1], [0, 2]], 0.0),
    ("large", (31, 41), "contiguous", [[3, 5], [7, 1]], 0.25)])


def sliced(x, *slices):
    """Python's rule for start, stop and step; torch steps back only through index_select."""
    for axis, (start, stop, step) in enumerate(slices):
        chosen = range(*slice(start, stop, step).indices(x.shape[axis]))
        x = x.index_select(axis, torch.tensor(list(chosen), dtype=torch.long))
    return x


@operation("slice")
def slices(g):
    def case(label, shape, *slices, layout="contiguous"):
        value = (g.normal(*shape), 5) if layout.startswith("expanded") else g.normal(*shape)
        g.case(label, lambda x: sliced(x, *slices), {"x": value},
               {"slices": [list(one) for one in slices]}, {"x": layout})

    everything = (None, None, 1)
    case("vector", (13,), (2, 9, 1))
    case("step", (17,), (1, 16, 3))
    case("step leaves a rest", (17,), (0, None, 5))
    case("backward", (13,), (None, None, -1))
    case("backward by three", (17,), (14, 1, -3))
    case("from the end", (13,), (-5, -1, 1))
    case("rows", (9, 7), (3, 8, 2), everything)
    case("columns", (9, 7), everything, (1, 6, 2))
    case("both ways", (9, 7), (7, None, -2), (1, -1, 1))
    case("one row", (5, 7), (2, 3, 1), everything)
    case("nothing", (5, 7), (3, 3, 1), everything)
    case("empty", (0, 7), everything, (1, 5, 2))
    case("beyond the end", (5,), (2, 99, 1))
    case("transposed", (3, 7, 5), (1, 3, 1), (None, None, -2), (0, 4, 3), layout="transposed")
    case("sliced again", (4, 11), everything, (1, 10, 2), layout="sliced")
    case("expanded", (4, 1, 3), (1, None, 1), (1, 4, 2), everything, layout="expanded:1")
    case("rank five", (2, 3, 1, 4, 5), everything, (0, 2, 1), everything, (None, None, -1), (1, 5,
         3))
    case("large", (51, 49), (1, 50, 2), (None, 3, -1))


def joined(name, function, rows):
    """Rows are (label, shapes, axis, layouts); the inputs are called x0, x1, ..."""

    @operation(name)
    def describe(g):
        for label, shapes, axis, layouts in rows:
            g.case(label, lambda *parts: function(parts, axis),
                   {f"x{index}": g.normal(*shape) for index, shape in enumerate(shapes)},
                   {"axis": axis}, {f"x{index}": layout for index, layout in enumerate(layouts)})
        g.case("expanded", lambda *parts: function(parts, 0),
               {"x0": (g.normal(3, 1), 4), "x1": g.normal(3, 4)}, {"axis": 0}, {"x0": "expanded:1"})


joined("concatenate", torch.cat, [
    ("vectors", [(3,), (5,)], 0, []), ("rows", [(2, 7), (3, 7), (1, 7)], 0, []),
    ("columns", [(5, 3), (5, 4)], 1, []), ("negative axis", [(2, 3, 5), (2, 4, 5)], -2, []),
    ("one", [(3, 5)], 1, []), ("with an empty one", [(3, 5), (0, 5), (2, 5)], 0, []),
    ("all empty", [(0, 3), (0, 3)], 0, []),
    ("transposed", [(5, 7), (5, 3)], 1, ["transposed", "sliced"]),
    ("rank five", [(1, 2, 1, 3, 2), (1, 2, 4, 3, 2)], 2, []),
    ("large", [(33, 21), (33, 45)], 1, ["contiguous", "transposed"])])
joined("stack", torch.stack, [
    ("scalars", [(), (), ()], 0, []), ("vectors", [(7,), (7,)], 0, []),
    ("columns", [(7,), (7,), (7,)], 1, []),
    ("negative axis", [(3, 5), (3, 5)], -1, []),
    ("middle", [(3, 5), (3, 5)], 1, ["transposed", "sliced"]),
    ("one", [(3, 5)], 0, []), ("empty", [(0, 3), (0, 3)], 1, []),
    ("rank four", [(2, 1, 3, 2), (2, 1, 3, 2)], 2, []),
    ("large", [(31, 41), (31, 41)], 1, ["transposed", "contiguous"])])


def taken(axis):
    """The axis is replaced by the axes of the indices."""

    def function(x, indices):
        picked = x.index_select(axis, indices.reshape(-1))
        at = axis % x.dim()
        return picked.reshape(x.shape[:at] + indices.shape + x.shape[at + 1:])

    return function


@operation("take")
def take(g):
    def case(label, shape, indices, axis, layouts=None):
        size = shape[axis]
        value = (g.normal(*shape), 5) if (layouts or {}).get("x",
            "").startswith("exp") else g.normal(*shape)
        g.case(label, taken(axis), {"x": value, "indices": g.integers(0, size, *indices)},
               {"axis": axis}, layouts)

    case("vector", (7,), (5,), 0)
    case("rows", (9, 5), (13,), 0)
    case("columns", (5, 9), (4,), 1)
    case("negative axis", (3, 7, 5), (6,), -2)
    case("indices of rank two", (9, 5), (3, 4), 0)
    case("indices of rank two, middle", (3, 7, 2), (2, 5), 1)
    case("one index for all", (5, 7), (1,), 0)
    case("scalar index", (5, 7), (), 0)
    case("no indices", (5, 7), (0,), 0)
    case("empty rows", (5, 0), (3,), 0)
    case("transposed", (7, 9), (11,), 0, {"x": "transposed", "indices": "sliced"})
    case("sliced", (7, 9), (11,), 1, {"x": "sliced"})
    case("expanded", (7, 1), (6,), 0, {"x": "expanded:1"})
    case("rank five", (2, 3, 1, 5, 2), (7,), 3)
    case("large", (33, 41), (57,), 0)
    g.case("repeated", taken(0), {"x": g.normal(4, 3), "indices": torch.tensor(
        [3, 3, 3, 0, 3], dtype=torch.int32)}, {"axis": 0})


@operation("takeAlong")
def take_along(g):
    def case(label, shape, indices, axis, layouts=None):
        g.case(label, lambda x, i: torch.gather(x, axis, i),
               {"x": g.normal(*shape), "indices": g.integers(0, shape[axis], *indices)},
               {"axis": axis}, layouts)

    case("vector", (7,), (11,), 0)
    case("rows", (5, 9), (5, 3), 1)
    case("one per row", (13, 7), (13, 1), 1)
    case("columns", (9, 5), (4, 5), 0)
    case("negative axis", (3, 7, 5), (3, 6, 5), -2)
    case("size one axis", (5, 1), (5, 4), 1)
    case("no indices", (5, 7), (5, 0), 1)
    case("empty", (0, 7), (0, 3), 1)
    case("transposed", (5, 9), (5, 9), 1, {"x": "transposed", "indices": "transposed"})
    case("sliced", (5, 9), (3, 9), 0, {"x": "sliced", "indices": "sliced"})
    case("rank five", (2, 3, 1, 5, 2), (2, 3, 1, 7, 2), 3)
    case("large", (31, 41), (31, 67), 1)


@operation("scatterAdd")
def scatter_add(g):
    def case(label, shape, count, axis, layouts=None):
        source = list(shape)
        source[axis] = count
        g.case(label, lambda x, indices, source: x.index_add(axis, indices, source),
               {"x": g.normal(*shape), "indices": g.integers(0, shape[axis], count),
                "source": g.normal(*source)}, {"axis": axis}, layouts)

    case("vector", (7,), 11, 0)
    case("rows", (5, 3), 13, 0)
    case("columns", (3, 7), 4, 1)
    case("negative axis", (3, 5, 7), 9, -2)
    case("one target", (1, 7), 9, 0)
    case("no indices", (5, 7), 0, 0)
    case("empty rows", (5, 0), 3, 0)
    case("transposed", (5, 7), 6, 0, {"x": "transposed", "source": "transposed"})
    case("sliced", (5, 7), 6, 1, {"x": "sliced", "indices": "sliced", "source": "sliced"})
    case("rank five", (2, 3, 1, 4, 2), 7, 3)
    case("large", (17, 33), 65, 0)
    g.case("repeated", lambda x, i, s: x.index_add(0, i, s), {
        "x": torch.zeros(4), "indices": torch.tensor([1, 1, 3, 1], dtype=torch.int32),
        "source": (g.normal(1), 4)}, {"axis": 0}, {"source": "expanded:0"})


@operation("shift")
def shift(g):
    def case(label, shape, places, axis, value=0.0, layout="contiguous"):
        def function(x):
            count, distance = x.shape[axis], min(abs(places), x.shape[axis])
            free = torch.full_like(x.narrow(axis, 0, distance), value)
            rest = x.narrow(axis, distance if places < 0 else 0, count - distance)
            return torch.cat([free, rest] if places > 0 else [rest, free], axis)

        g.case(label, function, {"x": g.normal(*shape)}, {"shift": places, "axis": axis, "value": value},
               {"x": layout})

    case("later", (7,), 2, 0)
    case("earlier", (7,), -3, 0)
    case("not at all", (4, 3), 0, 1)
    case("rows", (5, 4), 1, 0, 1.5)
    case("middle", (2, 6, 3), -2, 1, -1.0)
    case("all out", (3, 4), 9, 1)
    case("transposed", (4, 5), 2, -1, layout="transposed")
    case("sliced", (4, 5), -1, 0, layout="sliced")
    case("empty", (0, 3), 1, 1)
    case("large", (41, 33), 17, 1)


@operation("rot90")
def rot90(g):
    for label, shape, times, axes, layout in [
            ("once", (3, 4), 1, (0, 1), "contiguous"), ("twice", (3, 4), 2, (0, 1), "contiguous"),
            ("three times", (3, 4), 3, (0, 1), "contiguous"), ("back", (3, 4), -1, (0, 1), "contiguous"),
            ("five times", (2, 5), 5, (1, 0), "contiguous"), ("images", (2, 4, 5, 3), 1, (1, 2), "contiguous"),
            ("last axes", (2, 3, 4), -2, (-1, -2), "transposed"), ("sliced", (4, 3), 3, (1, 0), "sliced"),
            ("four times", (3, 4), 4, (0, 1), "contiguous"), ("empty", (0, 3), 1, (0, 1), "contiguous")]:
        g.case(label, lambda x: torch.rot90(x, times, axes), {"x": g.normal(*shape)},
               {"times": times, "axes": list(axes)}, {"x": layout})
