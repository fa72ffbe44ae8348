"""Elementwise functions of one, two and three tensors, with broadcasting."""

import numpy as np
import torch
from torch.nn import functional as F

from golden import operation

INFINITY, NAN = float("inf"), float("nan")
HUGE, TINY = 3.0e38, 1.2e-38
BASE = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, TINY, -TINY, 1.0e-20, -1.0e-20]
EXTREME = [HUGE, -HUGE, 1.0e10, -1.0e10, 88.5, -88.5, 104.0, -104.0]
ENDLESS = [INFINITY, -INFINITY, NAN]

# name: (function, range of the ordinary inputs, special values beside BASE)
UNARY = {
    "negate": (torch.neg, (-3, 3), EXTREME + ENDLESS),
    "abs": (torch.abs, (-3, 3), EXTREME + ENDLESS),
    "sign": (torch.sign, (-3, 3), EXTREME + [INFINITY, -INFINITY]),
    "square": (torch.square, (-3, 3), EXTREME + ENDLESS),
    "reciprocal": (torch.reciprocal, (0.2, 3), EXTREME + ENDLESS),
    "sqrt": (torch.sqrt, (0.05, 9), EXTREME + ENDLESS),
    "rsqrt": (torch.rsqrt, (0.05, 9), EXTREME + ENDLESS),
    "exp": (torch.exp, (-6, 6), EXTREME + ENDLESS),
    "expm1": (torch.expm1, (-3, 3), EXTREME + ENDLESS),
    "log": (torch.log, (0.05, 9), EXTREME + ENDLESS),
    "log1p": (torch.log1p, (-0.9, 6), EXTREME + ENDLESS),
    "sin": (torch.sin, (-9, 9), [100.0, -1000.0] + ENDLESS),
    "cos": (torch.cos, (-9, 9), [100.0, -1000.0] + ENDLESS),
    "tan": (torch.tan, (-1.4, 1.4), [100.0, -1000.0] + ENDLESS),
    "asin": (torch.asin, (-0.95, 0.95), [2.0, -2.0] + ENDLESS),
    "acos": (torch.acos, (-0.95, 0.95), [2.0, -2.0] + ENDLESS),
    "atan": (torch.atan, (-4, 4), EXTREME + ENDLESS),
    "sinh": (torch.sinh, (-4, 4), EXTREME + ENDLESS),
    "cosh": (torch.cosh, (-4, 4), EXTREME + ENDLESS),
    "tanh": (torch.tanh, (-4, 4), EXTREME + ENDLESS),
    "erf": (torch.erf, (-3, 3), EXTREME + ENDLESS),
    "sigmoid": (torch.sigmoid, (-8, 8), EXTREME + ENDLESS),
    "floor": (torch.floor, (-5, 5), [2.5, -2.5] + EXTREME + ENDLESS),
    "ceil": (torch.ceil, (-5, 5), [2.5, -2.5] + EXTREME + ENDLESS),
    "round": (torch.round, (-5, 5), [1.5, 2.5, -1.5, -2.5, 3.5] + EXTREME + ENDLESS),
    "relu": (torch.relu, (-3, 3), EXTREME + ENDLESS),
    # x Phi(x) and x sigmoid(x) at minus infinity: 0 in the limit, NaN as products. Left open.
    "gelu": (F.gelu, (-4, 4), EXTREME + [INFINITY, NAN]),
    "silu": (F.silu, (-6, 6), EXTREME + [INFINITY, NAN]),
    "softplus": (lambda x: torch.logaddexp(x, torch.zeros_like(x)), (-8, 8),
                 EXTREME + [INFINITY, -INFINITY]),
}


def describe_unary(name):
    function, (low, high), special = UNARY[name]

    @operation(name)
    def describe(g):
        def case(label, *shape, layout="contiguous", **options):
            value = g.uniform(low, high, *shape)
            g.case(label, function, {"x": value}, layouts={"x": layout}, **options)

        def given(label, values):
            value = torch.tensor(np.array(values, dtype=np.float32))
            g.case(label, function, {"x": value}, gradients=False)

        case("scalar")
        case("vector", 17)
        case("matrix transposed", 7, 13, layout="transposed")
        case("rows sliced", 5, 33, layout="sliced")
        g.case("expanded", function, {"x": (g.uniform(low, high, 4, 1, 3), 9)},
               layouts={"x": "expanded:1"})
        case("empty", 3, 0, 5)
        case("size one axes", 2, 1, 3, 1, 2)
        case("rank four transposed", 2, 3, 5, 7, layout="transposed")
        case("large", 45, 67)
        given("special", BASE + special)
        given("subnormal", [1.0e-45, -1.0e-45, 1.0e-40, -1.0e-40])
        if name in ("sin", "cos", "tan"):
            given("huge", [1.0e5, -1.0e5, 1.0e10, -1.0e15, 1.0e30, -HUGE])


for unary in UNARY:
    describe_unary(unary)


def binary_cases(g, function, left, right, gradients=True):
    """The shapes and layouts of every operation on two tensors; left and right make its inputs."""

    def case(label, a, b, layouts=None):
        g.case(label, function, {"a": a, "b": b}, layouts=layouts, gradients=gradients)

    case("scalars", left(), right())
    case("same shape", left(7, 13), right(7, 13))
    case("scalar right", left(5, 7), right())
    case("scalar left", left(), right(3, 11))
    case("row", left(7, 13), right(13))
    case("column", left(7, 13), right(7, 1))
    case("outer", left(17, 1), right(1, 9))
    case("middle axes", left(2, 1, 5, 1), right(3, 1, 7))
    case("empty broadcast", left(3, 1, 5), right(0, 1))
    case("size one axes", left(1, 1, 3), right(1, 1, 1))
    case("transposed both", left(3, 5, 9), right(3, 5, 9), {"a": "transposed", "b": "transposed"})
    case("transposed left", left(17, 5), right(17, 5), {"a": "transposed"})
    case("sliced and row", left(6, 11), right(11), {"a": "sliced", "b": "sliced"})
    case("expanded", left(4, 5, 3), (right(4, 1, 3), 5), {"b": "expanded:1"})
    case("large", left(5, 21, 33), right(21, 33))


def numbers(low, high):
    return lambda g: lambda *shape: g.uniform(low, high, *shape)


def away_from_zero(low, high):
    """Both signs, no magnitude under `low`."""
    def make(g):
        return lambda *shape: g.uniform(low, high, *shape) * (1 - 2 * g.booleans(*shape).float())
    return make


def grid(g):
    """Quarters in -1...1, so that comparisons meet equal values."""
    return lambda *shape: g.integers(-4, 5, *shape).float() / 4


def pairs(values):
    """All pairs of the values, as two vectors."""
    values = np.array(values, dtype=np.float32)
    a, b = np.meshgrid(values, values, indexing="ij")
    return {"a": torch.from_numpy(a.ravel().copy()), "b": torch.from_numpy(b.ravel().copy())}


ODD = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, TINY, -TINY, HUGE, -HUGE, INFINITY, -INFINITY, NAN]
# name: (function, left inputs, right inputs, special values that are paired with each other)
BINARY = {
    "add": (torch.add, numbers(-3, 3), numbers(-3, 3), ODD),
    "subtract": (torch.sub, numbers(-3, 3), numbers(-3, 3), ODD),
    "multiply": (torch.mul, numbers(-3, 3), numbers(-3, 3), ODD),
    "divide": (torch.div, numbers(-3, 3), away_from_zero(0.3, 3), ODD),
    "power": (torch.pow, numbers(0.2, 3), numbers(-2.5, 2.5),
              [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5, 30.0, INFINITY, -INFINITY, NAN]),
    "remainder": (torch.remainder, numbers(-6, 6), away_from_zero(0.7, 3),
                  [0.0, 1.0, -1.0, 2.5, -2.5, 7.0, -7.0, 1.0e6, NAN]),
    # Numbers of different fractions on both sides: no ties.
    "maximum": (torch.maximum, numbers(-3, 3), numbers(-3, 3), ODD),
    "minimum": (torch.minimum, numbers(-3, 3), numbers(-3, 3), ODD),
    "atan2": (torch.atan2, away_from_zero(0.1, 3), away_from_zero(0.1, 3), ODD),
    "equal": (torch.eq, grid, grid, ODD),
    "notEqual": (torch.ne, grid, grid, ODD),
    "less": (torch.lt, grid, grid, ODD),
    "lessEqual": (torch.le, grid, grid, ODD),
    "greater": (torch.gt, grid, grid, ODD),
    "greaterEqual": (torch.ge, grid, grid, ODD),
}


def describe_binary(name):
    function, left, right, special = BINARY[name]

    @operation(name)
    def describe(g):
        binary_cases(g, function, left(g), right(g))
        g.case("special", function, pairs(special), gradients=False)
        if name in ("maximum", "minimum"):
            # The cotangent of a tie is shared evenly.
            g.case("ties", function, {"a": grid(g)(6, 7), "b": grid(g)(6, 7)})
        if name == "power":
            g.case("zero exponent", function, {"a": g.uniform(0.5, 2, 9), "b": torch.zeros(9)})


for binary in BINARY:
    describe_binary(binary)


def describe_logical(name, function):
    @operation(name)
    def describe(g):
        binary_cases(g, function, lambda *s: g.booleans(*s), lambda *s: g.booleans(*s), False)


describe_logical("logicalAnd", torch.logical_and)
describe_logical("logicalOr", torch.logical_or)


@operation("logicalNot")
def logical_not(g):
    for label, shape, layout in [
            ("scalar", (), "contiguous"), ("vector", (17,), "sliced"),
            ("empty", (0, 3), "contiguous"),
            ("matrix", (7, 13), "transposed"), ("size one axes", (1, 5, 1, 1, 2), "contiguous"),
            ("large", (33, 65), "contiguous")]:
        g.case(label, torch.logical_not, {"x": g.booleans(*shape)}, layouts={"x": layout})
    g.case("expanded", torch.logical_not, {"x": (g.booleans(7, 1), 5)}, layouts={"x": "expanded:1"})


@operation("where")
def where(g):
    def case(label, condition, a, b, layouts=None, gradients=True):
        g.case(label, torch.where, {"condition": condition, "a": a, "b": b}, layouts=layouts,
               gradients=gradients)

    case("scalars", g.booleans(), g.normal(), g.normal())
    case("same shape", g.booleans(7, 13), g.normal(7, 13), g.normal(7, 13))
    case("condition column", g.booleans(9, 1), g.normal(9, 7), g.normal(7))
    case("scalar branch", g.booleans(3, 17), g.normal(3, 17), g.normal())
    case("all broadcast", g.booleans(5, 1, 1), g.normal(7, 1), g.normal(3))
    case("empty", g.booleans(0, 1), g.normal(1, 5), g.normal(5))
    case("size one axes", g.booleans(1, 1, 4, 1), g.normal(1, 3, 1, 1), g.normal(1))
    case("transposed", g.booleans(6, 11), g.normal(6, 11), g.normal(6, 11),
         {"condition": "transposed", "a": "sliced", "b": "transposed"})
    case("expanded", (g.booleans(4, 1, 3), 5), g.normal(4, 5, 3), (g.normal(4, 5, 1), 3),
         {"condition": "expanded:1", "b": "expanded:2"})
    case("large", g.booleans(3, 17, 33), g.normal(3, 17, 33), g.normal(17, 1))
    # What is not chosen leaves no trace, in the value.
    case("not chosen", torch.tensor([True, False, True]), torch.tensor([1.0, NAN, INFINITY]),
         torch.tensor([NAN, 2.0, -INFINITY]), gradients=False)


@operation("clip")
def clip(g):
    def case(label, low, high, x, layout="contiguous", gradients=True):
        g.case(label, lambda x: torch.clamp(x, low, high), {"x": x}, {"low": low, "high": high},
               {"x": layout}, gradients)

    case("scalar", -0.5, 0.5, g.normal())
    case("vector", -0.5, 0.75, g.normal(33))
    case("transposed", -1.0, 0.25, g.normal(7, 13), "transposed")
    case("sliced", 0.0, 1.0, g.normal(5, 17), "sliced")
    case("expanded", -0.25, 0.25, (g.normal(1, 7), 4), "expanded:0")
    case("empty", -1.0, 1.0, g.normal(0, 5))
    case("size one axes", -0.5, 0.5, g.normal(2, 1, 3, 1, 2))
    case("one value", 0.5, 0.5, g.normal(9))
    case("large", -1.0, 1.0, g.normal(47, 61))
    # On a bound the derivative is 1.
    case("on the bounds", -1.0, 1.0, torch.tensor([-1.0, 1.0, 0.0, -1.5, 1.5]))
    case("special", -2.0, 2.0, torch.tensor([INFINITY, -INFINITY, NAN, HUGE, -TINY]),
         gradients=False)
