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


SEGMENTS = [("vector", (50,), 7, "contiguous"), ("rows", (20, 5), 4, "contiguous"),
            ("cubes", (9, 3, 4), 5, "contiguous"), ("one segment", (6, 2), 1, "contiguous"),
            ("more segments than rows", (3, 4), 11, "contiguous"), ("transposed", (8, 6), 3, "transposed"),
            ("sliced", (7, 5), 3, "sliced"), ("large", (400, 33), 40, "contiguous")]


def by_segment(name, function, layouts=SEGMENTS):
    @operation(name)
    def describe(g):
        for label, shape, count, layout in layouts:
            g.case(label, lambda x, s: function(x, s, count),
                   {"x": g.distinct(*shape), "segments": g.integers(0, count, shape[0])}, {"count": count},
                   {"x": layout}, gradients=not (name == "segmentMax" and count > shape[0]))


def segment_rows(x, s, count, function, nothing):
    rows = [function(x[s == i]) if (s == i).any() else torch.full(x.shape[1:], nothing).to(x.dtype)
            for i in range(count)]
    return torch.stack(rows)


def segment_softmax(x, s, count):
    y = torch.zeros_like(x)
    for i in range(count):
        y = torch.where((s == i).view([-1] + [1] * (x.dim() - 1)),
                        torch.softmax(x.masked_fill((s != i).view([-1] + [1] * (x.dim() - 1)), -1e9), 0), y)
    return y


by_segment("segmentMean", lambda x, s, count: segment_rows(x, s, count, lambda r: r.mean(0), 0.0))
by_segment("segmentMax", lambda x, s, count: segment_rows(x, s, count, lambda r: r.amax(0), float("-inf")))
by_segment("segmentSoftmax", segment_softmax)


def of_bits(name, function, low=-2**31, high=2**31, places=False):
    @operation(name)
    def describe(g):
        for label, a, b in [("scalar", (), ()), ("vector", (17,), (17,)), ("rows", (5, 7), (5, 7)),
                            ("broadcast", (5, 1), (7,)), ("empty", (0, 3), (0, 3)), ("large", (41, 67), (41, 67))]:
            second = g.integers(0, 36, *b) if places else g.integers(low, high, *b)
            g.case(label, lambda a, b: function(a, b), {"a": g.integers(low, high, *a), "b": second},
                   gradients=False)


def to_int32(x):
    x = x & 0xFFFFFFFF
    return torch.where(x >= 2**31, x - 2**32, x)


def shifted(a, b, move):
    return torch.where(b < 32, to_int32(move(a & 0xFFFFFFFF, b.clamp(max=31))), 0)


of_bits("bitwiseAnd", torch.bitwise_and)
of_bits("bitwiseOr", torch.bitwise_or)
of_bits("bitwiseXor", torch.bitwise_xor)
of_bits("leftShift", lambda a, b: shifted(a, b, torch.bitwise_left_shift), places=True)
of_bits("rightShift", lambda a, b: shifted(a, b, torch.bitwise_right_shift), places=True)


@operation("bitCount")
def bit_count(g):
    for label, shape in [("scalar", ()), ("vector", (17,)), ("rows", (5, 7)), ("cube", (2, 3, 4)),
                         ("empty", (0, 3)), ("large", (41, 67))]:
        g.case(label, lambda x: sum((x >> i) & 1 for i in range(32)), {"x": g.integers(-2**31, 2**31, *shape)},
               gradients=False)


@operation("masked")
def masked(g):
    for label, shape, chance, layout in [("vector", (50,), 0.5, "contiguous"), ("matrix", (7, 30), 0.2, "contiguous"),
                                         ("cube", (3, 4, 5), 0.7, "contiguous"), ("all", (4, 5), 1.1, "contiguous"),
                                         ("none", (4, 5), 0.0, "contiguous"), ("empty", (0, 3), 0.5, "contiguous"),
                                         ("transposed", (6, 11), 0.5, "transposed"), ("sliced", (5, 9), 0.5, "sliced"),
                                         ("scalar", (), 1.1, "contiguous"), ("large", (70, 90), 0.3, "contiguous")]:
        g.case(label, lambda x, condition: torch.masked_select(x, condition),
               {"x": g.normal(*shape), "condition": g.booleans(*shape, chance=chance)}, layouts={"x": layout})

@operation("bincount")
def bincount(g):
    for label, shape, count in [("vector", (50,), 7), ("matrix", (7, 30), 10), ("one", (9,), 1), ("empty", (0,), 4),
                                ("more than indices", (3,), 11), ("large", (50, 50), 33)]:
        g.case(label, lambda x, w: torch.bincount(x.flatten(), minlength=count)
               if w is None else torch.zeros(count, dtype=w.dtype).index_add(0, x.flatten(), w.flatten()),
               {"x": g.integers(0, count, *shape), "weights": g.normal(*shape)}, {"count": count})
