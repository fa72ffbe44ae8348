"""Scans along one axis and the first-order linear recurrence."""

import torch

from golden import operation

INFINITY, NAN = float("inf"), float("nan")

# (label, shape, axis, layout)
SHAPES = [
    ("vector", (17,), 0, "contiguous"), ("rows", (7, 13), 1, "contiguous"),
    ("columns", (13, 7), 0, "contiguous"), ("middle axis", (3, 9, 5), 1, "sliced"),
    ("transposed", (5, 9), 1, "transposed"), ("negative axis", (2, 3, 4, 5), -3, "transposed"),
    ("size one axis", (5, 1, 3), 1, "contiguous"), ("empty", (4, 0), 1, "contiguous"),
    ("large rows", (9, 131), 1, "contiguous"), ("large columns", (65, 67), 0, "contiguous")]


def directions(g, function, make, nothing):
    """From the other end, and without the element itself; then the first is `nothing`."""
    for reverse, inclusive in [(True, True), (False, False), (True, False)]:
        def call(x, axis):
            y = function(x.flip(axis) if reverse else x, axis)
            if not inclusive:
                first = torch.full_like(y.narrow(axis, 0, 1), nothing)
                y = torch.cat([first, y.narrow(axis, 0, y.shape[axis] - 1)], axis)
            return y.flip(axis) if reverse else y

        for label, shape, axis, layout in SHAPES:
            if 0 not in shape and (inclusive or nothing > -INFINITY):
                kind = ("reverse, " if reverse else "") + ("" if inclusive else "exclusive, ")
                g.case(kind + label, lambda x: call(x, axis), {"x": make(g, *shape)},
                       {"axis": axis, "reverse": reverse, "inclusive": inclusive}, {"x": layout})


def scan(name, function, make, special=(), nothing=None):
    @operation(name)
    def describe(g):
        for label, shape, axis, layout in SHAPES:
            g.case(label, lambda x: function(x, axis), {"x": make(g, *shape)}, {"axis": axis},
                   {"x": layout})
        g.case("expanded", lambda x: function(x, 0), {"x": (make(g, 1, 5), 7)}, {"axis": 0},
               {"x": "expanded:0"})
        for label, values, gradients in special:
            g.case(label, lambda x: function(x, 1), {"x": torch.tensor(values)}, {"axis": 1},
                   gradients=gradients)
        if nothing is not None:
            directions(g, function, make, nothing)


def near_one(g, *shape):
    return torch.exp(g.normal(*shape, scale=0.2)) * (1 - 2 * g.booleans(*shape).float())


scan("cumulativeProduct", torch.cumprod, near_one, [
    ("zeros", [[2.0, 0, 3, 5], [0, 0, 5, 1], [1, 2, 4, 0], [0, 0, 0, 0]], True),
    ("infinities", [[2.0, INFINITY, -3], [1, NAN, 2]], False)], nothing=1.0)


def log_sum_exp(x, axis):
    """Written out: torch.logcumsumexp does not know the derivative where nothing was summed."""
    if x.shape[axis] == 0:
        return x * 1
    steps, y = x.unbind(axis), []
    for step in steps:
        y.append(step * 1 if not y else torch.logaddexp(y[-1], step))
    y = torch.stack(y, axis)
    assert torch.equal(y.isnan(), torch.logcumsumexp(x, axis).isnan())
    assert torch.allclose(y, torch.logcumsumexp(x, axis), rtol=1e-12, equal_nan=True)
    return y


scan("cumulativeLogSumExp", log_sum_exp, lambda g, *shape: g.normal(*shape, scale=3), [
    ("far from zero", [[1000.0, 999, -1000], [-1000, -1001, -1002]], True),
    ("infinities", [[-INFINITY, 1, 2], [-INFINITY] * 3, [1, INFINITY, 2], [1, NAN, 2]], False)],
    nothing=-INFINITY)


def running_max(x, axis):
    return torch.cummax(x, axis)[0] if x.numel() else x * 1


scan("cumulativeMax", running_max, lambda g, *shape: g.distinct(*shape), [
    ("ties", [[2.0, 2, 1, 2], [-3, -3, -3, -3], [0, 1, 1, 0]], True),
    ("special", [[1.0, INFINITY, 2], [-INFINITY, 0, 1], [1, NAN, 2]], False)])


def recur(a, b, initial, axis, reverse):
    """h_t = a_t h_(t-1) + b_t, step by step."""
    if b.shape[axis] == 0:
        return a * b
    order = range(b.shape[axis])
    h, states = initial, {}
    for t in reversed(order) if reverse else order:
        h = states[t] = a.select(axis, t) * h + b.select(axis, t)
    return torch.stack([states[t] for t in order], axis)


@operation("linearRecurrence")
def linear_recurrence(g):
    for reverse in (False, True):
        def case(label, shape, axis=1, layouts=None):
            state = list(shape)
            del state[axis]
            g.case(label + (", reverse" if reverse else ""),
                   lambda a, b, initial: recur(a, b, initial, axis % len(shape), reverse),
                   {"a": g.normal(*shape, scale=0.8), "b": g.normal(*shape),
                    "initial": g.normal(*state)}, {"axis": axis, "reverse": reverse}, layouts)

        case("plain", (3, 7, 5))
        case("one step", (2, 1, 3))
        case("one channel", (11, 9, 1))
        case("many channels", (2, 5, 131))
        case("no time axis around", (13,), 0)
        case("time last", (3, 4, 11), -1)
        case("time first", (9, 3, 17), 0)
        case("no steps", (2, 0, 3))
        case("empty batch", (0, 4, 3))
        case("transposed", (3, 7, 5), 1, {"a": "transposed", "b": "transposed"})
        case("sliced", (3, 7, 5), 1, {"a": "sliced", "b": "sliced", "initial": "sliced"})
        case("long", (2, 65, 17))
