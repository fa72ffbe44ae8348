"""Operations that order the elements of an axis."""

import torch

from golden import operation

SHAPES = [("vector", (7,), "contiguous", 0), ("rows", (5, 13), "contiguous", 1),
          ("columns", (17, 3), "contiguous", 0), ("middle", (2, 9, 5), "contiguous", 1),
          ("transposed", (6, 11), "transposed", 1), ("sliced", (5, 9), "sliced", -1),
          ("one", (3, 1), "contiguous", 1), ("empty rows", (0, 5), "contiguous", 1),
          ("long", (3, 333), "contiguous", 1), ("large", (2, 2100), "contiguous", -1)]


def quantile(x, q, axis):
    # PyTorch refuses an empty tensor even where the result is empty too.
    return torch.quantile(x, q, axis) if x.numel() else x.sum(axis)


def ordered(name, function, *arguments):
    @operation(name)
    def describe(g):
        for label, shape, layout, axis in SHAPES:
            for value in arguments or [None]:
                given = {"axis": axis} | (value or {})
                suffix = "".join(f" {k} {v}" for k, v in (value or {}).items())
                g.case(label + suffix, lambda x: function(x, **given), {"x": g.distinct(*shape)}, given,
                       {"x": layout})
        specials = torch.tensor([[2.0, float("nan"), -0.0, 0.0, float("inf"), -1.0, float("-inf"), 2.0]])
        if name in ("argSort", "sorted"):
            g.case("specials", lambda x: function(x, axis=1, descending=False), {"x": specials},
                   {"axis": 1, "descending": False}, gradients=False)
            ties = g.integers(0, 4, 4, 60).float()
            for descending in (False, True):
                g.case(f"ties {descending}", lambda x: function(x, axis=1, descending=descending),
                       {"x": ties}, {"axis": 1, "descending": descending}, gradients=False)


ordered("argSort", lambda x, axis, descending: torch.argsort(x, dim=axis, descending=descending, stable=True).int(),
        {"descending": False}, {"descending": True})
ordered("sorted", lambda x, axis, descending: torch.sort(x, dim=axis, descending=descending, stable=True)[0],
        {"descending": False}, {"descending": True})
ordered("topK", lambda x, axis, k, largest: torch.topk(x, k, dim=axis, largest=largest)[0],
        {"k": 1, "largest": True}, {"k": 1, "largest": False})
ordered("median", lambda x, axis: quantile(x, 0.5, axis))
ordered("quantile", lambda x, axis, q: quantile(x, q, axis), {"q": 0.0}, {"q": 0.3}, {"q": 1.0})


@operation("topKMany")
def top_k_many(g):
    for label, shape, k, axis in [("rows", (5, 13), 4, 1), ("columns", (17, 3), 17, 0), ("none", (3, 5), 0, 1),
                                  ("long", (2, 2100), 70, 1), ("middle", (2, 9, 5), 3, 1)]:
        for largest in (True, False):
            g.case(f"{label} {largest}", lambda x: torch.topk(x, k, dim=axis, largest=largest)[0],
                   {"x": g.distinct(*shape)}, {"k": k, "axis": axis, "largest": largest})


@operation("oneHot")
def one_hot(g):
    for label, shape, count in [("vector", (7,), 5), ("matrix", (3, 4), 9), ("scalar", (), 3), ("one class", (4,), 1),
                                ("empty", (0,), 4), ("large", (40, 13), 11)]:
        g.case(label, lambda x: torch.nn.functional.one_hot(x.long(), count).double(),
               {"x": g.integers(0, count, *shape)}, {"count": count}, gradients=False)


@operation("histogram")
def histogram(g):
    for label, shape, bins, low, high in [("vector", (50,), 7, -1.0, 2.0), ("matrix", (7, 30), 10, -2.0, 2.0),
                                          ("one bin", (33,), 1, -1.0, 1.0), ("empty", (0,), 4, 0.0, 1.0),
                                          ("none inside", (5,), 3, 9.0, 10.0), ("large", (50, 50), 33, -3.0, 3.0)]:
        g.case(label, lambda x: torch.histc(x, bins, low, high).int(), {"x": g.normal(*shape)},
               {"bins": bins, "low": low, "high": high}, gradients=False)


def unique(name, part, dtypes=("float", "int", "bool")):
    """Values, the place of each element's value among them, and how often each occurs."""

    @operation(name)
    def describe(g):
        for label, shape, layout in [("vector", (50,), "contiguous"), ("matrix", (7, 30), "contiguous"),
                                     ("transposed", (6, 11), "transposed"), ("sliced", (5, 9), "sliced"),
                                     ("one", (1,), "contiguous"), ("scalar", (), "contiguous"),
                                     ("large", (50, 90), "contiguous")]:
            numbers = g.integers(-4, 40 if label == "large" else 4, *shape)
            for dtype in dtypes:
                x = {"float": numbers.float() / 4, "int": numbers * 1_000_003, "bool": numbers > 0}[dtype]
                g.case(f"{label} {dtype}",
                       lambda x: torch.unique(x, return_inverse=True, return_counts=True)[part],
                       {"x": x}, layouts={"x": layout}, gradients=False)
        different = g.distinct(37)
        g.case("all different", lambda x: torch.unique(x, return_inverse=True, return_counts=True)[part],
               {"x": different}, gradients=False)
        g.case("all equal", lambda x: torch.unique(x, return_inverse=True, return_counts=True)[part],
               {"x": torch.full((4, 5), -2.5)}, gradients=False)
        special = torch.tensor([float("inf"), -0.0, 1e-45, 0.0, float("-inf"), 0.0, float("inf"), -1e-45])
        g.case("special", lambda x: torch.unique(x, return_inverse=True, return_counts=True)[part],
               {"x": special}, gradients=False)


unique("uniqueValues", 0)
unique("uniqueInverse", 1)
unique("uniqueCounts", 2)


@operation("segmentSum")
def segment_sum(g):
    for label, shape, count, layout in [("vector", (50,), 7, "contiguous"), ("rows", (20, 5), 4, "contiguous"),
                                        ("cubes", (9, 3, 4), 5, "contiguous"), ("one segment", (6, 2), 1, "contiguous"),
                                        ("more segments than rows", (3, 4), 11, "contiguous"),
                                        ("transposed", (8, 6), 3, "transposed"), ("sliced", (7, 5), 3, "sliced"),
                                        ("empty", (0, 3), 2, "contiguous"), ("large", (400, 33), 40, "contiguous")]:
        g.case(label, lambda x, s: torch.zeros((count,) + tuple(x.shape[1:]), dtype=x.dtype).index_add(0, s, x),
               {"x": g.normal(*shape), "segments": g.integers(0, count, shape[0])}, {"count": count},
               {"x": layout})


@operation("masked")
def masked(g):
    for label, shape, chance, layout in [("vector", (50,), 0.5, "contiguous"), ("matrix", (7, 30), 0.2, "contiguous"),
                                         ("cube", (3, 4, 5), 0.7, "contiguous"), ("all", (4, 5), 1.1, "contiguous"),
                                         ("none", (4, 5), 0.0, "contiguous"), ("empty", (0, 3), 0.5, "contiguous"),
                                         ("transposed", (6, 11), 0.5, "transposed"), ("sliced", (5, 9), 0.5, "sliced"),
                                         ("scalar", (), 1.1, "contiguous"), ("large", (70, 90), 0.3, "contiguous")]:
        g.case(label, lambda x, condition: torch.masked_select(x, condition),
               {"x": g.normal(*shape), "condition": g.booleans(*shape, chance=chance)}, layouts={"x": layout})
