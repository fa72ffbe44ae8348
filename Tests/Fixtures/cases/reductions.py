"""Reductions over sets of axes, arguments of extremes, running sums."""

import numpy as np
import torch

from golden import operation

INFINITY, NAN = float("inf"), float("nan")


def all_axes(x, axes):
    return list(range(x.dim())) if axes is None else axes


def product(x, axes, keep):
    """torch.prod takes one axis, so the reduced axes are moved to the end and joined."""
    axes = [axis % x.dim() for axis in all_axes(x, axes)]
    kept = [axis for axis in range(x.dim()) if axis not in axes]
    count = int(np.prod([x.shape[axis] for axis in axes]))
    y = x.permute(kept + axes).reshape([x.shape[axis] for axis in kept] + [count]).prod(-1)
    return y.reshape([1 if a in axes else x.shape[a] for a in range(x.dim())]) if keep else y


def reduction(function):
    """Adapts a torch reduction to (x, axes or None for all, keepDims)."""
    return lambda x, axes, keep: function(x, dim=all_axes(x, axes), keepdim=keep) if x.dim() else (
        function(x.reshape(1), dim=[0], keepdim=False))


# (label, shape, axes, keepDims, layout); axes None reduces everything
SHAPES = [
    ("scalar", (), None, False, "contiguous"),
    ("everything", (5, 7), None, False, "contiguous"),
    ("everything kept", (5, 7, 2), None, True, "transposed"),
    ("last axis", (9, 17), [1], False, "contiguous"),
    ("first axis", (17, 13), [0], False, "contiguous"),
    ("first axis kept", (33, 5), [0], True, "sliced"),
    ("middle axis", (3, 13, 5), [1], False, "contiguous"),
    ("negative axis", (4, 3, 7), [-2], True, "contiguous"),
    ("outer axes", (5, 3, 7), [0, 2], False, "contiguous"),
    ("last axes transposed", (3, 5, 7), [1, 2], False, "transposed"),
    ("four of five axes", (2, 3, 1, 3, 4), [0, 1, 2, 4], True, "contiguous"),
    ("inner axes of four", (2, 7, 5, 3), [1, 2], False, "contiguous"),
    ("size one axes", (1, 6, 1), [0, 2], False, "contiguous"),
    ("empty result", (0, 7), [1], False, "contiguous"),
    ("large last axis", (7, 401), [1], False, "contiguous"),
    ("large first axis", (301, 11), [0], False, "contiguous"),
]


def shapes(g, function, make, skip=(), arguments=None, layouts_of=SHAPES, gradients=True):
    for label, shape, axes, keep, layout in layouts_of:
        if label not in skip:
            g.case(label, lambda x: function(x, axes, keep), {"x": make(*shape)},
                   {"axes": axes, "keepDims": keep, **(arguments or {})}, {"x": layout}, gradients)


def expanded(g, function, make, arguments=None):
    for label, axes in [("expanded and reduced", [1]), ("expanded axis kept", [0, 2])]:
        g.case(label, lambda x: function(x, axes, False), {"x": (make(4, 1, 3), 5)},
               {"axes": axes, "keepDims": False, **(arguments or {})}, {"x": "expanded:1"})


def given(g, label, function, values, axes, gradients=False, arguments=None):
    g.case(label, lambda x: function(x, axes, False),
           {"x": torch.tensor(values, dtype=torch.float32)},
           {"axes": axes, "keepDims": False, **(arguments or {})}, gradients=gradients)


def empty(g, function, gradients=True, arguments=None):
    g.case("empty axis", lambda x: function(x, [1], False), {"x": g.normal(3, 0, 2)},
           {"axes": [1], "keepDims": False, **(arguments or {})}, gradients=gradients)


SPECIAL = [[1.0, NAN, 2.0], [INFINITY, 1.0, 2.0], [-INFINITY, 0.0, 1.0], [INFINITY, -INFINITY, 0.0]]


@operation("sum")
def sums(g):
    function = reduction(torch.sum)
    shapes(g, function, g.normal)
    expanded(g, function, g.normal)
    empty(g, function)
    given(g, "special", function, SPECIAL, [1])
    # Many equal numbers: a running sum in float32 drifts here, partial sums do not.
    g.case("many equal numbers", lambda x: function(x, None, False), {"x": (torch.full((1, 9),
           0.1), 301)},
           {"axes": None, "keepDims": False}, {"x": "expanded:0"})


@operation("mean")
def mean(g):
    function = reduction(torch.mean)
    shapes(g, function, g.normal)
    expanded(g, function, g.normal)
    empty(g, function, gradients=False)
    given(g, "special", function, SPECIAL, [1])


@operation("product")
def products(g):
    def near_one(*shape):
        return torch.exp(g.normal(*shape, scale=0.2)) * (1 - 2 * g.booleans(*shape).float())

    shapes(g, product, near_one)
    expanded(g, product, near_one)
    empty(g, product)
    given(g, "special", product, SPECIAL, [1])
    given(g, "zeros", product, [[2, 0, 3], [0, 0, 5], [1, 2, 4], [0, 0, 0]], [1], gradients=True)


def extreme(name, function):
    @operation(name)
    def describe(g):
        shapes(g, function, g.distinct)
        # The cotangent of a tie is shared evenly, here and along the expanded axis.
        expanded(g, function, g.distinct)
        given(g, "ties", function, [[2, 2, 1], [-3, -3, -3], [0, 1, 1]], [1], gradients=True)
        given(g, "ties over two axes", function, [[[1, 2], [2, 0]], [[-1, -1], [-1, -1]]], [1, 2],
              gradients=True)
        given(g, "special", function, SPECIAL, [1])


extreme("max", reduction(torch.amax))
extreme("min", reduction(torch.amin))


@operation("variance")
def variance(g):
    for correction in (0, 1):
        function = reduction(lambda x, dim, keepdim: torch.var(
            x, dim=dim, correction=correction, keepdim=keepdim))
        # Rows whose count less the correction is 0 have no variance.
        chosen = [(f"{label}, correction {correction}", *rest) for label, *rest in SHAPES
                  if label != "empty result"
                  and (correction == 0 or label not in ("scalar", "size one axes"))]
        shapes(g, function, g.normal, arguments={"correction": correction}, layouts_of=chosen)
        g.case(f"far from zero, correction {correction}",
               lambda x: function(x, [1], False), {"x": g.normal(5, 33) + 100},
               {"axes": [1], "keepDims": False, "correction": correction})
        g.case(f"expanded, correction {correction}",
               lambda x: function(x, [0], False), {"x": (g.normal(7, 1), 3)},
               {"axes": [0], "keepDims": False, "correction": correction}, {"x": "expanded:1"})
    given(g, "special", lambda x, a, k: torch.var(x, a, correction=0), SPECIAL, [1],
          arguments={"correction": 0})


@operation("logSumExp")
def log_sum_exp(g):
    function = reduction(torch.logsumexp)
    make = lambda *shape: g.normal(*shape, scale=3)
    shapes(g, function, make)
    expanded(g, function, make)
    empty(g, function, gradients=False)
    given(g, "special", function, SPECIAL + [[-INFINITY] * 3, [1000.0, 999.0, -1000.0],
                                             [-1000.0, -1001.0, -1002.0]], [1])
    given(g, "far from zero", function, [[1000.0, 999.0, -1000.0], [-1000.0, -1001.0, -1002.0]],
          [1], gradients=True)
    given(g, "hidden entries", function, [[0.5, -1000.0, 1.5], [-1000.0, 0.25, -1000.0]], [0],
          gradients=True)


def truth(name, function, chance):
    @operation(name)
    def describe(g):
        shapes(g, function, lambda *shape: g.booleans(*shape, chance=chance))
        g.case("empty axis", lambda x: function(x, [0], False), {"x": g.booleans(0, 5)},
               {"axes": [0], "keepDims": False})
        g.case("rows that differ", lambda x: function(x, [1], False),
               {"x": torch.tensor([[True, True], [True, False], [False, False]])},
               {"axes": [1], "keepDims": False})


def by_count(decide):
    return lambda x, axes, keep: decide(
        reduction(torch.sum)(x.int(), axes, keep),
        int(np.prod([x.shape[axis] for axis in all_axes(x, axes)])))


truth("any", by_count(lambda found, size: found > 0), 0.1)
truth("all", by_count(lambda found, size: found == size), 0.9)


def argument_of_extreme(name, numpy_function):
    """NumPy's rule: of equal values the first counts."""

    def function(axis, keep):
        return lambda x: torch.from_numpy(np.asarray(
            numpy_function(x.detach().numpy(), axis=axis, keepdims=keep)))

    @operation(name)
    def describe(g):
        for label, shape, axis, keep, layout in [
                ("vector", (17,), 0, False, "contiguous"),
                ("rows", (7, 13), 1, False, "contiguous"),
                ("columns", (7, 13), 0, True, "contiguous"),
                ("middle", (3, 9, 5), 1, False, "sliced"),
                ("negative axis", (3, 5, 7), -1, True, "transposed"),
                ("size one axis", (5, 1, 3), 1, False, "contiguous"),
                ("empty result", (0, 4), 1, False, "contiguous"),
                ("rank five", (2, 3, 1, 5, 2), 3, False, "contiguous"),
                ("large", (17, 129), 1, False, "contiguous")]:
            g.case(label, function(axis, keep), {"x": g.distinct(*shape)},
                   {"axis": axis, "keepDims": keep}, {"x": layout})
        g.case("ties", function(1, False),
               {"x": torch.tensor([[1.0, 3, 3, 1], [2, 2, 2, 2], [-1, -5, -5, -1]])},
               {"axis": 1, "keepDims": False})
        g.case("infinities", function(1, False),
               {"x": torch.tensor([[1.0, INFINITY, 3], [-INFINITY, 2, 2], [-INFINITY] * 3])},
               {"axis": 1, "keepDims": False})


argument_of_extreme("argMax", np.argmax)
argument_of_extreme("argMin", np.argmin)


@operation("cumulativeSum")
def cumulative_sum(g):
    for label, shape, axis, layout in [
            ("vector", (17,), 0, "contiguous"), ("rows", (7, 13), 1, "contiguous"),
            ("columns", (13, 7), 0, "contiguous"), ("middle axis", (3, 9, 5), 1, "sliced"),
            ("transposed", (5, 9), 1, "transposed"),
            ("negative axis", (2, 3, 4, 5), -3, "transposed"),
            ("size one axis", (5, 1, 3), 1, "contiguous"), ("empty", (4, 0), 1, "contiguous"),
            ("large rows", (9, 257), 1, "contiguous"),
            ("large columns", (129, 17), 0, "contiguous")]:
        g.case(label, lambda x: torch.cumsum(x, axis), {"x": g.normal(*shape)}, {"axis": axis},
               {"x": layout})
    g.case("expanded", lambda x: torch.cumsum(x, 0), {"x": (g.normal(1, 5), 7)}, {"axis": 0},
           {"x": "expanded:0"})
    for label, reverse, inclusive, function in [
            ("reverse", True, True, lambda x: x.flip(1).cumsum(1).flip(1)),
            ("exclusive", False, False, lambda x: x.cumsum(1) - x),
            ("reverse, exclusive", True, False, lambda x: x.flip(1).cumsum(1).flip(1) - x)]:
        g.case(label, function, {"x": g.normal(3, 7, 5)},
               {"axis": 1, "reverse": reverse, "inclusive": inclusive}, {"x": "sliced"})
