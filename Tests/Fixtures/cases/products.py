"""Matrix products, linear layers and convolutions. Images are [batch, height, width, channels]."""

import torch
from torch.nn import functional as F

from golden import operation


@operation("matmul")
def matmul(g):
    def case(label, a, b, a_layout="contiguous", b_layout="contiguous"):
        g.case(label, torch.matmul, {"a": g.normal(*a), "b": g.normal(*b)},
               layouts={"a": a_layout, "b": b_layout})

    case("vector by vector", (13,), (13,))
    case("vector by matrix", (7,), (7, 5))
    case("matrix by vector", (5, 7), (7,))
    case("batch by vector", (3, 5, 7), (7,))
    case("vector by batch", (5,), (3, 5, 7))
    case("matrices", (7, 13), (13, 5))
    case("left transposed", (7, 13), (13, 5), "transposed")
    case("right transposed", (7, 13), (13, 17), b_layout="transposed")
    case("both transposed", (9, 13), (13, 7), "transposed", "transposed")
    case("sliced", (9, 7), (7, 11), "sliced", "sliced")
    case("row by column", (1, 33), (33, 1))
    case("column by row", (33, 1), (1, 17))
    case("one by one", (1, 1), (1, 1))
    case("batched", (3, 5, 7), (3, 7, 4))
    case("batched, transposed", (3, 5, 7), (3, 7, 4), "transposed", "transposed")
    case("batched, sliced", (3, 5, 7), (3, 7, 4), "sliced")
    case("matrix by batch", (5, 7), (4, 7, 3))
    case("batch by matrix", (4, 5, 7), (7, 3))
    case("broadcast batches", (2, 1, 3, 5), (3, 5, 7))
    case("broadcast both ways", (3, 1, 2, 5), (1, 2, 5, 4), b_layout="transposed")
    case("rank five", (2, 1, 3, 4, 5), (2, 1, 5, 3))
    case("empty inner axis", (5, 0), (0, 7))
    case("empty inner axis, batched", (3, 5, 0), (3, 0, 2))
    case("empty rows", (0, 5), (5, 3))
    case("empty batch", (0, 3, 5), (5, 2))
    case("large", (67, 65), (65, 33))
    case("large, right transposed", (49, 32), (32, 129), b_layout="transposed")
    for axis in (0, 1):
        g.case(f"left expanded along {axis}", torch.matmul,
               {"a": (g.normal(*((1, 7) if axis == 0 else (5, 1))), 5 if axis == 0 else 7),
                "b": g.normal(7, 3)}, layouts={"a": f"expanded:{axis}"})
    g.case("batch expanded", torch.matmul,
           {"a": (g.normal(1, 5, 7), 3), "b": g.normal(3, 7, 4)}, layouts={"a": "expanded:0"})


@operation("linear")
def linear(g):
    def case(label, x, outputs, bias=True, layouts=None):
        inputs = {"x": g.normal(*x), "weight": g.normal(outputs, x[-1], scale=0.4)}
        if bias:
            inputs["bias"] = g.normal(outputs)
        g.case(label, F.linear, inputs, layouts=layouts)

    case("vector", (7,), 5)
    case("rows", (9, 13), 7)
    case("without bias", (9, 13), 7, False)
    case("batch of tokens", (3, 7, 5), 11)
    case("rank four", (2, 3, 1, 17), 3)
    case("one output", (13, 7), 1)
    case("one input", (7, 1), 9)
    case("empty batch", (0, 5), 3)
    case("empty width", (4, 0), 3)
    case("x transposed", (4, 7, 5), 9, layouts={"x": "transposed"})
    case("weight transposed", (7, 5), 9, layouts={"weight": "transposed"})
    case("x sliced", (7, 5), 9, layouts={"x": "sliced"})
    case("large", (65, 33), 49)
    g.case("x expanded", F.linear, {"x": (g.normal(1, 7), 5), "weight": g.normal(3, 7),
                                    "bias": g.normal(3)}, layouts={"x": "expanded:0"})


def channels_last(function):
    """Calls a torch operation that wants channels second on arrays with channels last."""

    def call(x, weight, bias, **options):
        order = [0, x.dim() - 1, *range(1, x.dim() - 1)]
        back = [0, *range(2, x.dim()), 1]
        return function(x.permute(order), weight.permute(order), bias, **options).permute(back)

    return call


def convolution_case(g, function, names, label, x, weight, bias=True, layouts=None, **options):
    """`options` are those of torch; `names` gives the arguments that are always stated."""
    inputs = {"x": g.normal(*x), "weight": g.normal(*weight, scale=0.5)}
    if bias:
        inputs["bias"] = g.normal(weight[0])
    stated = {**names, **options}
    call = channels_last(function)
    g.case(label, lambda x, w, b=None: call(x, w, b, **options), inputs, stated, layouts)


@operation("conv2d")
def conv2d(g):
    plain = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}

    def case(label, x, weight, **options):
        convolution_case(g, F.conv2d, plain, label, x, weight, **options)

    case("3x3", (2, 7, 9, 3), (5, 3, 3, 3))
    case("same size", (2, 5, 7, 4), (3, 3, 3, 4), padding=[1, 1])
    case("without bias", (1, 6, 5, 2), (3, 3, 3, 2), bias=False)
    case("1x1", (3, 5, 5, 7), (9, 1, 1, 7))
    case("stride", (2, 9, 11, 3), (4, 3, 3, 3), stride=[2, 2], padding=[1, 1])
    case("patches", (2, 8, 12, 1), (7, 4, 4, 1), stride=[4, 4])
    case("stride leaves a rest", (1, 8, 9, 2), (3, 3, 3, 2), stride=[3, 2])
    case("stride beyond kernel", (1, 9, 9, 2), (3, 1, 1, 2), stride=[2, 3])
    case("dilation", (2, 9, 8, 3), (2, 3, 3, 3), dilation=[2, 2], padding=[2, 2])
    case("asymmetric kernel", (2, 7, 9, 2), (3, 1, 5, 2), padding=[0, 2])
    case("asymmetric everything", (1, 11, 13, 2), (3, 3, 2, 2), stride=[2, 1], padding=[1, 0],
         dilation=[1, 3])
    case("even kernel", (2, 6, 6, 3), (3, 2, 4, 3), padding=[1, 2])
    case("groups", (2, 6, 5, 6), (4, 3, 3, 3), groups=2, padding=[1, 1])
    case("groups with stride", (1, 7, 7, 6), (9, 3, 3, 2), groups=3, stride=[2, 2])
    case("depthwise 7x7", (2, 9, 8, 17), (17, 7, 7, 1), groups=17, padding=[3, 3])
    case("depthwise 3x3 stride", (2, 9, 7, 5), (5, 3, 3, 1), groups=5, padding=[1, 1], stride=[2,
         2])
    case("depthwise dilation", (1, 9, 9, 3), (3, 3, 3, 1), groups=3, padding=[2, 2], dilation=[2,
         2])
    case("depthwise multiplier", (1, 5, 6, 3), (6, 3, 3, 1), groups=3, padding=[1, 1])
    case("kernel larger than image", (2, 3, 2, 3), (2, 7, 7, 3), padding=[3, 3])
    case("one pixel", (3, 1, 1, 5), (2, 1, 1, 5))
    case("one channel", (2, 6, 7, 1), (1, 3, 3, 1), padding=[1, 1])
    case("empty batch", (0, 6, 7, 3), (2, 3, 3, 3))
    case("x transposed", (2, 6, 7, 3), (4, 3, 3, 3), layouts={"x": "transposed"})
    case("x sliced, weight transposed", (2, 6, 7, 3), (4, 3, 3, 3), padding=[1, 1],
         layouts={"x": "sliced", "weight": "transposed"})
    case("large", (2, 14, 13, 8), (16, 3, 3, 8), padding=[1, 1])
    convolve = channels_last(F.conv2d)
    g.case("x expanded", lambda x, w, b: convolve(x, w, b),
           {"x": (g.normal(1, 5, 6, 2), 3), "weight": g.normal(3, 3, 3, 2), "bias": g.normal(3)},
           plain, {"x": "expanded:0"})


@operation("conv1d")
def conv1d(g):
    plain = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}

    def case(label, x, weight, **options):
        convolution_case(g, F.conv1d, plain, label, x, weight, **options)

    case("plain", (2, 13, 3), (5, 3, 3))
    case("same size", (2, 17, 4), (3, 5, 4), padding=2)
    case("without bias", (1, 9, 2), (3, 3, 2), bias=False)
    case("stride", (2, 17, 3), (4, 3, 3), stride=2, padding=1)
    case("dilation", (2, 19, 3), (4, 3, 3), dilation=3, padding=1)
    case("even kernel", (3, 10, 2), (3, 4, 2), padding=3)
    case("groups", (2, 11, 6), (4, 3, 3), groups=2)
    case("depthwise", (2, 13, 7), (7, 4, 1), groups=7, padding=3)
    case("one step", (3, 1, 5), (2, 1, 5))
    case("empty batch", (0, 7, 3), (2, 3, 3))
    case("transposed", (2, 9, 5), (3, 3, 5), layouts={"x": "transposed", "weight": "transposed"})
    case("sliced", (2, 9, 5), (3, 3, 5), padding=1, layouts={"x": "sliced"})
    case("large", (2, 129, 8), (9, 5, 8), padding=2)


MATRICES = [("plain", (3, 4), (2, 5), (7,)), ("one vector", (2, 3), (4, 1), ()), ("tall", (6, 2), (5, 3), (2, 3)),
            ("wide", (2, 6), (3, 5), (4,)), ("numbers", (1, 1), (1, 1), (3,)), ("none", (2, 3), (4, 2), (0,)),
            ("large", (9, 17), (13, 7), (11,))]


@operation("kronecker")
def kronecker(g):
    for label, a, b, _ in MATRICES:
        g.case(label, torch.kron, {"a": g.normal(*a), "b": g.normal(*b)},
               layouts={"a": "transposed" if label == "wide" else "contiguous"})


@operation("kroneckerMatmul")
def kronecker_matmul(g):
    for label, a, b, batch in MATRICES:
        g.case(label, lambda a, b, x: x @ torch.kron(a, b).T,
               {"a": g.normal(*a), "b": g.normal(*b), "x": g.normal(*batch, a[1] * b[1])},
               layouts={"x": "transposed" if label == "tall" else "contiguous"})
