"""Pooling over windows of images [batch, height, width, channels]."""

from torch.nn import functional as F

from golden import operation

# (label, x, window, stride, padding, layout)
CASES = [
    ("halves", (2, 8, 6, 3), [2, 2], [2, 2], [0, 0], "contiguous"),
    ("odd size leaves a rest", (2, 7, 9, 3), [2, 2], [2, 2], [0, 0], "contiguous"),
    ("overlapping", (1, 7, 8, 2), [3, 3], [2, 2], [0, 0], "contiguous"),
    ("same size", (2, 6, 7, 5), [3, 3], [1, 1], [1, 1], "contiguous"),
    ("asymmetric", (2, 9, 11, 3), [3, 4], [1, 3], [1, 2], "contiguous"),
    ("stride beyond window", (1, 9, 10, 3), [1, 2], [3, 3], [0, 0], "contiguous"),
    ("whole image", (3, 5, 4, 7), [5, 4], [5, 4], [0, 0], "contiguous"),
    ("one pixel", (2, 1, 1, 3), [1, 1], [1, 1], [0, 0], "contiguous"),
    ("one pixel padded", (2, 1, 1, 3), [3, 3], [1, 1], [1, 1], "contiguous"),
    ("one channel", (2, 6, 5, 1), [2, 3], [2, 1], [0, 1], "contiguous"),
    ("empty batch", (0, 6, 5, 2), [2, 2], [2, 2], [0, 0], "contiguous"),
    ("transposed", (2, 6, 5, 4), [2, 2], [2, 2], [0, 0], "transposed"),
    ("sliced", (2, 6, 5, 4), [3, 3], [1, 1], [1, 1], "sliced"),
    ("seventeen channels", (1, 6, 6, 17), [3, 3], [1, 1], [1, 1], "contiguous"),
    ("large", (2, 13, 14, 9), [2, 2], [2, 2], [0, 0], "contiguous"),
]


def pool(function, **options):
    return lambda x: function(x.permute(0, 3, 1, 2), **options).permute(0, 2, 3, 1)


@operation("maxPool2d")
def max_pool(g):
    for label, shape, window, stride, padding, layout in CASES:
        g.case(label, pool(F.max_pool2d, kernel_size=window, stride=stride, padding=padding),
               {"x": g.distinct(*shape)},
               {"window": window, "stride": stride, "padding": padding}, {"x": layout})
    # Padding never wins, also where everything is negative.
    g.case("all negative", pool(F.max_pool2d, kernel_size=3, stride=2, padding=1),
           {"x": -g.distinct(1, 5, 5, 2).abs() - 1},
           {"window": [3, 3], "stride": [2, 2], "padding": [1, 1]})


@operation("averagePool2d")
def average_pool(g):
    for counted in (True, False):
        for label, shape, window, stride, padding, layout in CASES:
            if any(padding) or counted:
                g.case(f"{label}{', padding counted' if counted and any(padding) else ''}",
                       pool(F.avg_pool2d, kernel_size=window, stride=stride, padding=padding,
                            count_include_pad=counted),
                       {"x": g.normal(*shape)},
                       {"window": window, "stride": stride, "padding": padding,
                        "countsPadding": counted}, {"x": layout})
    g.case("expanded", pool(F.avg_pool2d, kernel_size=2, stride=1),
           {"x": (g.normal(2, 1, 5, 3), 4)},
           {"window": [2, 2], "stride": [1, 1], "padding": [0, 0], "countsPadding": True},
           {"x": "expanded:1"})
