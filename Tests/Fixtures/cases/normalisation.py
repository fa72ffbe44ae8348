"""Softmax, the normalisation layers, embedding. Channels are the last axis."""

import torch
from torch.nn import functional as F

from golden import operation

INFINITY = float("inf")


def soft(name, function):
    @operation(name)
    def describe(g):
        for label, shape, axis, layout in [
                ("vector", (17,), 0, "contiguous"), ("rows", (9, 13), 1, "contiguous"),
                ("columns", (13, 9), 0, "contiguous"), ("middle axis", (3, 7, 5), 1, "contiguous"),
                ("negative axis", (2, 3, 33), -1, "contiguous"),
                ("transposed", (4, 5, 9), -1, "transposed"),
                ("transposed, other axis", (4, 5, 9), 1, "transposed"),
                ("sliced", (7, 11), 1, "sliced"),
                ("size one axis", (5, 1, 3), 1, "contiguous"),
                ("empty rows", (0, 7), 1, "contiguous"),
                ("empty axis", (3, 0), 1, "contiguous"),
                ("rank five", (2, 1, 3, 5, 2), 3, "contiguous"),
                ("large rows", (9, 257), 1, "contiguous"),
                ("large columns", (65, 33), 0, "contiguous")]:
            g.case(label, lambda x: function(x, axis), {"x": g.normal(*shape, scale=2)},
                   {"axis": axis}, {"x": layout})
        g.case("expanded", lambda x: function(x, 1), {"x": (g.normal(1, 7), 3)}, {"axis": 1},
               {"x": "expanded:0"})
        g.case("equal entries", lambda x: function(x, 1), {"x": (g.normal(5, 1), 4)}, {"axis": 1},
               {"x": "expanded:1"})
        g.case("far from zero", lambda x: function(x, 1), {"x": torch.tensor(
            [[1000.0, 1001.0, 998.5], [-1000.0, -1001.0, -999.0], [0.0, -200.0, 200.0]])},
                {"axis": 1})
        g.case("minus infinity", lambda x: function(x, 1), {"x": torch.tensor(
            [[0.5, -INFINITY, 1.0], [-INFINITY, -INFINITY, 3.0]])}, {"axis": 1}, gradients=False)


soft("softmax", torch.softmax)
soft("logSoftmax", torch.log_softmax)


def scaled(g, width, bias=True):
    weights = {"weight": g.uniform(0.5, 1.5, width)}
    return {**weights, "bias": g.normal(width)} if bias else weights


# (label, shape, layout); the last axis is normalised
ROWS = [
    ("vector", (17,), "contiguous"), ("rows", (9, 13), "contiguous"),
    ("tokens", (3, 7, 33), "contiguous"),
    ("rank four", (2, 3, 5, 7), "contiguous"), ("width two", (5, 2), "contiguous"),
    ("empty", (0, 5), "contiguous"), ("size one axes", (1, 1, 9), "contiguous"),
    ("transposed", (4, 5, 9), "transposed"), ("sliced", (7, 11), "sliced"),
    ("large", (9, 257), "contiguous")]


def row_norm(g, function, has_bias):
    def case(label, x, inputs, epsilon=1e-5, layout="contiguous"):
        g.case(label, lambda x, *weights: function(x, weights, epsilon), {"x": x, **inputs},
               {"epsilon": epsilon}, {"x": layout})

    for label, shape, layout in ROWS:
        case(label, g.normal(*shape), scaled(g, shape[-1], has_bias), layout=layout)
    case("without weights", g.normal(7, 13), {})
    case("large epsilon", g.normal(7, 13), scaled(g, 13, has_bias), 0.1)
    case("far from zero", g.normal(5, 33) + 50, scaled(g, 33, has_bias))
    case("small numbers", g.normal(5, 17, scale=1e-3), scaled(g, 17, has_bias))
    case("expanded", (g.normal(1, 9), 4), scaled(g, 9, has_bias), layout="expanded:0")
    g.case("weight sliced", lambda x, *weights: function(x, weights, 1e-5),
           {"x": g.normal(7, 13), **scaled(g, 13, has_bias)}, {"epsilon": 1e-5},
               {"weight": "sliced"})


@operation("layerNorm")
def layer_norm(g):
    row_norm(g, lambda x, weights, epsilon: F.layer_norm(
        x, x.shape[-1:], *weights, eps=epsilon), True)
    # Nothing varies: the output is the bias.
    g.case("constant row", lambda x, w, b: F.layer_norm(x, (7,), w, b, 1e-5),
           {"x": (g.normal(3, 1), 7), **scaled(g, 7)}, {"epsilon": 1e-5}, {"x": "expanded:1"})


@operation("rmsNorm")
def rms_norm(g):
    row_norm(g, lambda x, weights, epsilon: F.rms_norm(
        x, x.shape[-1:], *weights, eps=epsilon), False)


def channels_second(x):
    return x.movedim(-1, 1)


@operation("groupNorm")
def group_norm(g):
    def case(label, shape, groups, layout="contiguous", weights=True, epsilon=1e-5):
        g.case(label, lambda x, *weights: F.group_norm(
            channels_second(x), groups, *weights, eps=epsilon).movedim(1, -1),
            {"x": g.normal(*shape), **(scaled(g, shape[-1]) if weights else {})},
            {"groups": groups, "epsilon": epsilon}, {"x": layout})

    case("image", (2, 5, 7, 6), 3)
    case("one group", (3, 4, 5, 7), 1)
    case("a group per channel", (2, 5, 3, 4), 4)
    case("sequence", (3, 9, 8), 2)
    case("no positions", (5, 12), 3)
    case("without weights", (2, 3, 5, 6), 2, weights=False)
    case("large epsilon", (2, 3, 5, 6), 2, epsilon=0.1)
    case("one pixel", (2, 1, 1, 9), 3)
    case("empty batch", (0, 3, 4, 6), 2)
    case("transposed", (2, 5, 7, 6), 3, "transposed")
    case("sliced", (2, 3, 5, 4), 2, "sliced")
    case("large", (3, 9, 7, 16), 4)


@operation("batchNorm")
def batch_norm(g):
    def training(label, shape, layout="contiguous", weights=True, epsilon=1e-5, offset=0.0):
        g.case(label, lambda x, *weights: F.batch_norm(
            channels_second(x), None, None, *weights, training=True, eps=epsilon).movedim(1, -1),
            {"x": g.normal(*shape) + offset, **(scaled(g, shape[-1]) if weights else {})},
            {"training": True, "epsilon": epsilon}, {"x": layout})

    def evaluation(label, shape, layout="contiguous", weights=True, epsilon=1e-5):
        # Written out, so that the statistics have gradients too; F.batch_norm gives them none.
        def function(x, mean, variance, weight=1.0, bias=0.0):
            y = (x - mean) * torch.rsqrt(variance + epsilon) * weight + bias
            expected = F.batch_norm(
                channels_second(x.detach()), mean.detach(), variance.detach(),
                weight.detach() if weights else None, bias.detach() if weights else None,
                eps=epsilon).movedim(1, -1)
            assert torch.allclose(y, expected, rtol=1e-12)
            return y

        width = shape[-1]
        g.case(f"{label}, evaluation", function,
               {"x": g.normal(*shape), "runningMean": g.normal(width),
                "runningVariance": g.uniform(0.3, 2, width), **(scaled(g,
                    width) if weights else {})},
               {"training": False, "epsilon": epsilon}, {"x": layout})

    training("image", (3, 5, 7, 4))
    training("rows", (17, 9))
    training("sequence", (3, 11, 5))
    training("without weights", (4, 3, 5, 3), weights=False)
    training("large epsilon", (4, 3, 5, 3), epsilon=0.1)
    training("one channel", (3, 5, 4, 1))
    training("one image", (1, 5, 4, 7))
    training("far from zero", (33, 5), offset=50)
    training("transposed", (3, 5, 7, 4), "transposed")
    training("sliced", (13, 7), "sliced")
    training("large", (4, 9, 8, 9))
    evaluation("image", (3, 5, 7, 4))
    evaluation("rows", (17, 9))
    evaluation("one row", (1, 9))
    evaluation("without weights", (4, 3, 5, 3), weights=False)
    evaluation("empty batch", (0, 3, 4, 5))
    evaluation("transposed", (3, 5, 7, 4), "transposed")
    evaluation("sliced", (13, 7), "sliced")


@operation("embedding")
def embedding(g):
    def case(label, rows, width, shape, layouts=None):
        g.case(label, F.embedding, {"indices": g.integers(0, rows, *shape),
               "weight": g.normal(rows, width)},
               layouts=layouts)

    case("scalar", 5, 7, ())
    case("vector", 7, 5, (13,))
    case("tokens", 17, 9, (3, 7))
    case("rank three", 5, 3, (2, 1, 7))
    case("width one", 7, 1, (9,))
    case("one row", 1, 5, (6,))
    case("no indices", 5, 3, (0,))
    case("empty width", 5, 0, (3,))
    case("transposed", 7, 9, (5, 6), {"indices": "transposed", "weight": "transposed"})
    case("sliced", 7, 9, (5, 6), {"indices": "sliced", "weight": "sliced"})
    case("large", 33, 17, (9, 21))
    g.case("repeated", F.embedding, {"indices": torch.tensor([2, 2, 0, 2], dtype=torch.int32),
                                     "weight": g.normal(4, 3)})
