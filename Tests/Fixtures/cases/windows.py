"""Windows over spatial axes: convolutions over volumes, transposed convolutions, unfold and fold,
pixel shuffles, pooling over one and three axes and into bins. Data is channels last."""

import numpy as np
import torch
from torch.nn import functional as F

from golden import operation


def first(x):
    """Channels from last to second."""
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


# MARK: Convolution over volumes

@operation("conv3d")
def conv3d(g):
    plain = {"stride": [1, 1, 1], "padding": [0, 0, 0], "dilation": [1, 1, 1], "groups": 1}

    def case(label, x, weight, bias=True, layouts=None, **options):
        inputs = {"x": g.normal(*x), "weight": g.normal(*weight, scale=0.5)}
        if bias:
            inputs["bias"] = g.normal(weight[0])
        g.case(label, lambda x, w, b=None: last(F.conv3d(first(x), first(w), b, **options)), inputs,
               {**plain, **options}, layouts)

    case("3x3x3", (2, 4, 5, 6, 3), (4, 3, 3, 3, 3))
    case("same size", (1, 3, 4, 5, 2), (3, 3, 3, 3, 2), padding=[1, 1, 1])
    case("without bias", (1, 4, 3, 5, 2), (2, 2, 3, 1, 2), bias=False)
    case("asymmetric everything", (1, 7, 6, 9, 2), (3, 2, 3, 4, 2), stride=[2, 1, 3], padding=[0, 2, 1],
         dilation=[1, 2, 1])
    case("dilation", (1, 6, 7, 5, 1), (2, 3, 2, 2, 1), dilation=[2, 3, 2], padding=[1, 1, 0])
    case("stride leaves a rest", (2, 5, 6, 4, 2), (3, 2, 2, 2, 2), stride=[2, 3, 3])
    case("groups", (1, 4, 4, 5, 6), (4, 3, 2, 3, 3), groups=2, padding=[1, 0, 1])
    case("depthwise", (2, 4, 5, 3, 5), (5, 3, 3, 3, 1), groups=5, padding=[1, 1, 1])
    case("1x1x1", (2, 2, 3, 2, 7), (5, 1, 1, 1, 7))
    case("one voxel", (3, 1, 1, 1, 4), (2, 1, 1, 1, 4))
    case("kernel larger than volume", (1, 2, 3, 1, 2), (2, 5, 5, 3, 2), padding=[2, 2, 1])
    case("empty batch", (0, 4, 4, 4, 3), (2, 3, 3, 3, 3))
    case("transposed, sliced", (2, 3, 4, 5, 3), (3, 2, 2, 2, 3),
         layouts={"x": "transposed", "weight": "sliced"})


# MARK: Transposed convolution

def transposed(g, axes):
    function = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][axes - 1]

    def call(x, w, b, groups=1, **options):
        # Ours is [outputs, kernel..., inputs / groups]; PyTorch's [inputs, outputs / groups, kernel...].
        inputs, outputs = x.shape[-1], w.shape[0]
        w = w.reshape(groups, outputs // groups, *w.shape[1:]).movedim(-1, 1)
        return last(function(first(x), w.reshape(inputs, outputs // groups, *w.shape[3:]), b, groups=groups,
                             **options))

    def case(label, x, weight, bias=True, layouts=None, groups=1, **options):
        stated = {"stride": [1] * axes, "padding": [0] * axes, "outputPadding": [0] * axes,
                  "dilation": [1] * axes, "groups": groups}
        names = {"output_padding": "outputPadding"}
        stated.update({names.get(key, key): value for key, value in options.items()})
        inputs = {"x": g.normal(*x), "weight": g.normal(*weight, scale=0.5)}
        if bias:
            inputs["bias"] = g.normal(weight[0])
        if axes == 1:
            stated = {key: value[0] if isinstance(value, list) else value for key, value in stated.items()}
        g.case(label, lambda x, w, b=None: call(x, w, b, groups, **options), inputs, stated, layouts)

    return case


@operation("convTransposed1d")
def conv_transposed_1d(g):
    case = transposed(g, 1)
    case("plain", (2, 7, 3), (5, 3, 3))
    case("stride", (2, 6, 4), (3, 4, 4), stride=[2], padding=[1])
    case("output padding", (1, 5, 2), (3, 3, 2), stride=[3], output_padding=[2], padding=[1])
    case("dilation", (2, 8, 3), (4, 3, 3), dilation=[3], padding=[2])
    case("output padding by dilation", (1, 6, 2), (2, 2, 2), dilation=[3], output_padding=[2])
    case("groups", (2, 5, 6), (4, 3, 3), groups=2, stride=[2])
    case("depthwise", (2, 9, 5), (5, 4, 1), groups=5, stride=[2], padding=[1], output_padding=[1])
    case("stride beyond kernel", (1, 4, 3), (2, 2, 3), stride=[5], bias=False)
    case("one step", (3, 1, 5), (2, 3, 5))
    case("empty batch", (0, 4, 3), (2, 3, 3))
    case("transposed", (2, 6, 5), (3, 3, 5), layouts={"x": "transposed", "weight": "transposed"})
    case("large", (2, 67, 8), (9, 5, 8), stride=[2], padding=[2])


@operation("convTransposed2d")
def conv_transposed_2d(g):
    case = transposed(g, 2)
    case("3x3", (2, 4, 5, 3), (5, 3, 3, 3))
    case("double size", (2, 4, 3, 4), (3, 4, 4, 4), stride=[2, 2], padding=[1, 1])
    case("output padding", (1, 3, 4, 2), (3, 3, 3, 2), stride=[2, 3], padding=[1, 0], output_padding=[1, 2])
    case("asymmetric everything", (1, 5, 4, 2), (3, 2, 3, 2), stride=[2, 1], padding=[1, 2],
         dilation=[1, 3], output_padding=[1, 0])
    case("dilation", (2, 5, 4, 3), (2, 3, 3, 3), dilation=[2, 2], padding=[2, 2])
    case("groups", (2, 4, 3, 6), (4, 3, 2, 3), groups=2, stride=[1, 2])
    case("groups apart", (1, 3, 3, 4), (8, 2, 2, 1), groups=4, bias=False)
    case("depthwise", (2, 5, 4, 17), (17, 3, 3, 1), groups=17, stride=[2, 2], padding=[1, 1],
         output_padding=[1, 1])
    case("depthwise 5x5", (1, 6, 7, 3), (3, 5, 5, 1), groups=3, padding=[2, 2])
    case("stride beyond kernel", (1, 3, 3, 2), (3, 1, 2, 2), stride=[2, 4])
    case("one pixel", (3, 1, 1, 5), (2, 2, 3, 5))
    case("empty batch", (0, 4, 3, 3), (2, 3, 3, 3))
    case("x sliced, weight transposed", (2, 4, 5, 3), (4, 3, 3, 3), padding=[1, 1],
         layouts={"x": "sliced", "weight": "transposed"})
    case("large", (2, 9, 8, 8), (12, 3, 3, 8), stride=[2, 2], padding=[1, 1], output_padding=[1, 1])


@operation("convTransposed3d")
def conv_transposed_3d(g):
    case = transposed(g, 3)
    case("plain", (2, 3, 2, 4, 3), (4, 2, 3, 2, 3))
    case("double size", (1, 2, 3, 2, 2), (3, 4, 4, 4, 2), stride=[2, 2, 2], padding=[1, 1, 1])
    case("asymmetric everything", (1, 3, 4, 2, 2), (2, 2, 3, 2, 2), stride=[2, 1, 3], padding=[1, 2, 0],
         dilation=[1, 2, 1], output_padding=[1, 0, 2])
    case("groups", (1, 2, 3, 3, 4), (6, 2, 2, 3, 2), groups=2, stride=[1, 2, 1], bias=False)
    case("depthwise", (2, 2, 3, 2, 3), (3, 3, 3, 3, 1), groups=3, stride=[2, 2, 2], padding=[1, 1, 1],
         output_padding=[1, 1, 1])
    case("one voxel", (2, 1, 1, 1, 3), (2, 2, 1, 3, 3))
    case("empty batch", (0, 2, 2, 2, 3), (2, 3, 3, 3, 3))
    case("sliced", (1, 2, 3, 4, 2), (3, 2, 2, 2, 2), layouts={"x": "sliced", "weight": "transposed"})


# MARK: Columns and pixels

def columns(x, kernel, stride, padding, dilation):
    """[batch, output..., kernel elements * channels], by PyTorch's unfold of one axis after the other."""
    axes = len(kernel)
    x = F.pad(x, [0, 0] + [p for p in reversed(padding) for _ in (0, 1)])
    for axis in range(axes):
        span = (kernel[axis] - 1) * dilation[axis] + 1
        x = x.unfold(axis + 1, span, stride[axis])[..., ::dilation[axis]]
    return x.movedim(axes + 1, -1).flatten(axes + 1)


WINDOWS = [
    ("line", (2, 9, 3), [3], [1], [0], [1], "contiguous"),
    ("line, everything", (1, 11, 2), [3], [2], [1], [2], "transposed"),
    ("image", (2, 5, 6, 3), [3, 3], [1, 1], [1, 1], [1, 1], "contiguous"),
    ("patches", (1, 6, 8, 2), [3, 4], [3, 4], [0, 0], [1, 1], "sliced"),
    ("rest", (2, 6, 7, 1), [2, 2], [3, 3], [0, 1], [1, 1], "contiguous"),
    ("dilation", (1, 7, 8, 2), [2, 3], [1, 2], [1, 0], [3, 2], "contiguous"),
    ("volume", (1, 4, 3, 5, 2), [2, 2, 3], [1, 2, 1], [0, 1, 1], [2, 1, 1], "contiguous"),
    ("one pixel", (2, 1, 1, 4), [1, 1], [1, 1], [0, 0], [1, 1], "contiguous"),
    ("empty batch", (0, 4, 4, 2), [2, 2], [1, 1], [0, 0], [1, 1], "contiguous")]


@operation("unfold")
def unfold(g):
    for label, shape, kernel, stride, padding, dilation, layout in WINDOWS:
        if len(kernel) == 2 and shape[0] > 0:
            # PyTorch's own order: channels before the kernel's elements, places as one axis.
            x = g.normal(*shape).double()
            own = F.unfold(first(x), kernel, dilation, padding, stride)
            ours = columns(x, kernel, stride, padding, dilation)
            taps = int(np.prod(kernel))
            turned = own.reshape(shape[0], shape[-1], taps, -1).permute(0, 3, 2, 1).reshape(ours.shape)
            assert torch.equal(turned, ours), label
        g.case(label, lambda x: columns(x, kernel, stride, padding, dilation), {"x": g.normal(*shape)},
               {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}, {"x": layout})


@operation("fold")
def fold(g):
    for label, shape, kernel, stride, padding, dilation, layout in WINDOWS:
        def spread(c):
            x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
            y = columns(x, kernel, stride, padding, dilation)
            return torch.autograd.grad(y, x, c, create_graph=True)[0]
        sample = columns(torch.zeros(shape), kernel, stride, padding, dilation)
        if len(kernel) == 2 and shape[0] > 0:
            c = g.normal(*sample.shape).double()
            taps = int(np.prod(kernel))
            own = F.fold(c.reshape(shape[0], -1, taps, shape[-1]).permute(0, 3, 2, 1).reshape(
                shape[0], shape[-1] * taps, -1), shape[1:-1], kernel, dilation, padding, stride)
            assert torch.allclose(last(own), spread(c)), label
        g.case(label, spread, {"x": g.normal(*sample.shape)},
               {"size": list(shape[1:-1]), "kernel": kernel, "stride": stride, "padding": padding,
                "dilation": dilation}, {"x": layout})


SHUFFLES = [("image", (2, 3, 4, 8), 2, "contiguous"), ("by three", (1, 2, 5, 27), 3, "contiguous"),
            ("one pixel", (2, 1, 1, 4), 2, "contiguous"), ("transposed", (2, 3, 4, 12), 2, "transposed"),
            ("sliced", (3, 2, 3, 16), 4, "sliced"), ("by one", (2, 3, 2, 5), 1, "contiguous"),
            ("one column", (1, 5, 1, 18), 3, "contiguous")]


@operation("pixelShuffle")
def pixel_shuffle(g):
    for label, shape, factor, layout in SHUFFLES:
        g.case(label, lambda x: last(F.pixel_shuffle(first(x), factor)), {"x": g.normal(*shape)},
               {"factor": factor}, {"x": layout})


@operation("pixelUnshuffle")
def pixel_unshuffle(g):
    for label, (batch, height, width, channels), factor, layout in SHUFFLES:
        shape = (batch, height * factor, width * factor, channels // factor ** 2)
        g.case(label, lambda x: last(F.pixel_unshuffle(first(x), factor)), {"x": g.normal(*shape)},
               {"factor": factor}, {"x": layout})


# MARK: Pooling

# (label, x, kernel, stride, padding, dilation of the maximum, layout)
POOLS = [
    ("line", (2, 9, 3), [3], [2], [1], [1], "contiguous"),
    ("line, dilated", (1, 12, 2), [3], [1], [1], [3], "transposed"),
    ("line, long", (3, 37, 5), [4], [4], [2], [1], "sliced"),
    ("line, one step", (2, 1, 17), [1], [1], [0], [1], "contiguous"),
    ("volume", (2, 4, 5, 6, 3), [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], "contiguous"),
    ("volume, asymmetric", (1, 6, 5, 7, 2), [3, 2, 4], [1, 2, 3], [1, 0, 2], [1, 1, 1], "contiguous"),
    ("volume, dilated", (1, 5, 7, 6, 2), [2, 3, 2], [2, 1, 1], [1, 1, 0], [2, 2, 3], "transposed"),
    ("volume, many channels", (1, 3, 4, 3, 19), [3, 3, 3], [1, 1, 1], [1, 1, 1], [1, 1, 1], "contiguous"),
    ("volume, empty batch", (0, 4, 4, 4, 2), [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], "contiguous"),
    ("image, dilated", (2, 8, 9, 3), [3, 2], [2, 1], [1, 1], [2, 3], "contiguous")]


@operation("maxPool")
def max_pool(g):
    for label, shape, kernel, stride, padding, dilation, layout in POOLS:
        function = [F.max_pool1d, F.max_pool2d, F.max_pool3d][len(kernel) - 1]
        g.case(label, lambda x: last(function(first(x), kernel, stride, padding, dilation)),
               {"x": g.distinct(*shape)},
               {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}, {"x": layout})
    # The first of equal values in each window, in the order of depth, height and width.
    for label, shape in (("ties on a line", (2, 9, 3)), ("ties in an image", (1, 6, 5, 2)),
                         ("ties in a volume", (1, 4, 5, 3, 2))):
        axes = len(shape) - 2
        function = [F.max_pool1d, F.max_pool2d, F.max_pool3d][axes - 1]
        g.case(label, lambda x: last(function(first(x), 3, 1, 1)), {"x": g.integers(-1, 2, *shape).float()},
               {"kernel": [3] * axes, "stride": [1] * axes, "padding": [1] * axes, "dilation": [1] * axes})


@operation("averagePool")
def average_pool(g):
    for counted in (True, False):
        for label, shape, kernel, stride, padding, dilation, layout in POOLS:
            if max(dilation) > 1 or not (counted or any(padding)):
                continue
            function = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][len(kernel) - 1]
            g.case(f"{label}{'' if counted else ', padding not counted'}",
                   lambda x: last(function(first(x), kernel, stride, padding, count_include_pad=counted)),
                   {"x": g.normal(*shape)},
                   {"kernel": kernel, "stride": stride, "padding": padding, "countsPadding": counted},
                   {"x": layout})


BINS = [("line", (2, 10, 3), [4], "contiguous"), ("line, more bins than steps", (1, 3, 2), [5], "transposed"),
        ("image", (2, 7, 9, 3), [3, 4], "contiguous"), ("image, to one", (2, 5, 6, 4), [1, 1], "sliced"),
        ("image, one way", (1, 4, 11, 17), [4, 2], "contiguous"),
        ("volume", (1, 5, 4, 7, 2), [2, 3, 4], "contiguous"),
        ("volume, more bins than size", (1, 2, 3, 2, 3), [3, 2, 5], "transposed"),
        ("empty batch", (0, 5, 5, 2), [2, 2], "contiguous")]


@operation("adaptiveAveragePool")
def adaptive_average_pool(g):
    for label, shape, sizes, layout in BINS:
        function = [F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d][len(sizes) - 1]
        g.case(label, lambda x: last(function(first(x), sizes)), {"x": g.normal(*shape)}, {"sizes": sizes},
               {"x": layout})


@operation("adaptiveMaxPool")
def adaptive_max_pool(g):
    for label, shape, sizes, layout in BINS:
        function = [F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d][len(sizes) - 1]
        g.case(label, lambda x: last(function(first(x), sizes)), {"x": g.distinct(*shape)}, {"sizes": sizes},
               {"x": layout})
    g.case("ties", lambda x: last(F.adaptive_max_pool2d(first(x), (2, 3))),
           {"x": g.integers(-1, 2, 2, 5, 7, 3).float()}, {"sizes": [2, 3]})


POOLED = [("line", (2, 7, 3), "contiguous"), ("image", (2, 5, 6, 4), "transposed"),
          ("image, one channel", (3, 4, 3, 1), "contiguous"), ("volume", (1, 3, 2, 5, 17), "contiguous"),
          ("one pixel", (2, 1, 1, 3), "contiguous"), ("empty batch", (0, 3, 3, 2), "contiguous"),
          ("sliced", (2, 5, 3, 2), "sliced")]


@operation("globalMaxPool")
def global_max_pool(g):
    for label, shape, layout in POOLED:
        g.case(label, lambda x: x.flatten(1, -2).max(1).values, {"x": g.distinct(*shape)}, {}, {"x": layout})


@operation("globalAveragePool")
def global_average_pool(g):
    for label, shape, layout in POOLED:
        g.case(label, lambda x: x.flatten(1, -2).mean(1), {"x": g.normal(*shape)}, {}, {"x": layout})
