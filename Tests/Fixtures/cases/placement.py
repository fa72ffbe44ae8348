"""Values put at places along an axis, max pooling that says where it found them, and the way back."""

import torch
from torch.nn import functional as F

from golden import operation


def put(x, indices, values, axis):
    """One slice after the other, so that the last of equal indices stands, with exact gradients."""
    axis = axis % x.dim()
    values = values.reshape(x.shape[:axis] + (indices.numel(),) + x.shape[axis + 1:])
    for place, index in enumerate(indices.reshape(-1)):
        x = x.index_copy(axis, index.reshape(1), values.narrow(axis, place, 1))
    return x


def put_along(x, indices, values, axis):
    for place in range(indices.shape[axis]):
        x = x.scatter(axis, indices.narrow(axis, place, 1), values.narrow(axis, place, 1))
    return x


@operation("put")
def puts(g):
    def case(label, shape, indices, axis, layouts=None):
        at = axis % len(shape)
        values = shape[:at] + indices + shape[at + 1:]
        g.case(label, lambda x, indices, values: put(x, indices, values, axis),
               {"x": g.normal(*shape), "indices": g.integers(0, shape[axis], *indices),
                "values": g.normal(*values)}, {"axis": axis}, layouts)

    case("vector", (7,), (4,), 0)
    case("vector, often twice", (5,), (23,), 0)
    case("rows", (9, 5), (6,), 0)
    case("columns, often twice", (4, 3), (11,), 1)
    case("negative axis", (3, 7, 5), (6,), -2)
    case("indices of rank two", (9, 5), (3, 4), 0)
    case("scalar index", (5, 7), (), 0)
    case("no indices", (5, 7), (0,), 0)
    case("empty rows", (5, 0), (3,), 0)
    case("transposed", (5, 7), (6,), 0, {"x": "transposed", "values": "transposed", "indices": "sliced"})
    case("sliced", (5, 7), (6,), 1, {"x": "sliced", "values": "sliced"})
    case("rank five", (2, 3, 1, 4, 2), (7,), 3)
    case("large", (33, 41), (57,), 0)


@operation("putAlong")
def puts_along(g):
    def case(label, shape, count, axis, layouts=None):
        along = list(shape)
        along[axis] = count
        g.case(label, lambda x, indices, values: put_along(x, indices, values, axis),
               {"x": g.normal(*shape), "indices": g.integers(0, shape[axis], *along),
                "values": g.normal(*along)}, {"axis": axis}, layouts)

    case("vector", (7,), 11, 0)
    case("rows", (5, 9), 3, 1)
    case("one per row", (13, 7), 1, 1)
    case("columns", (9, 5), 14, 0)
    case("negative axis", (3, 7, 5), 6, -2)
    case("size one axis", (5, 1), 4, 1)
    case("no indices", (5, 7), 0, 1)
    case("empty", (0, 7), 3, 1)
    case("transposed", (5, 9), 9, 1, {"x": "transposed", "indices": "transposed", "values": "transposed"})
    case("sliced", (5, 9), 3, 0, {"x": "sliced", "indices": "sliced", "values": "sliced"})
    case("rank five", (2, 3, 1, 5, 2), 7, 3)
    case("large", (31, 41), 67, 1)


@operation("putReduced")
def puts_reduced(g):
    reductions = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin"}

    def case(label, shape, count, axis, layouts=None):
        along = list(shape)
        along[axis] = count
        for ours, theirs in reductions.items():
            for own in (True, False):
                # No two numbers are equal, also not one of x and one of the values.
                numbers = g.distinct(int(torch.Size(shape).numel() + torch.Size(along).numel()))
                x, values = numbers.split([torch.Size(shape).numel(), torch.Size(along).numel()])
                g.case(f"{label} {ours}{'' if own else ', without what stood there'}",
                       lambda x, i, v: x.scatter_reduce(axis, i, v, theirs, include_self=own),
                       {"x": x.reshape(shape), "indices": g.integers(0, shape[axis], *along),
                        "values": values.reshape(along)},
                       {"axis": axis, "reduction": ours, "includingSelf": own}, layouts)

    case("vector", (7,), 11, 0)
    case("rows", (5, 9), 6, 1)
    case("columns", (9, 5), 14, 0, {"x": "sliced", "values": "transposed"})
    case("middle", (2, 4, 3), 7, 1)
    case("large", (21, 13), 57, 0)
    for ours, theirs in (("max", "amax"), ("min", "amin")):
        g.case(f"ties {ours}", lambda x, i, v: x.scatter_reduce(0, i, v, theirs),
               {"x": g.integers(-1, 2, 4, 3).float(), "indices": g.integers(0, 4, 9, 3),
                "values": g.integers(-1, 2, 9, 3).float()},
               {"axis": 0, "reduction": ours, "includingSelf": True})


# (label, x, kernel, stride, padding)
POOLS = [("signal", (2, 9, 3), [2], [2], [0]), ("signal, padded", (1, 8, 5), [3], [3], [1]),
         ("image", (2, 8, 6, 3), [2, 2], [2, 2], [0, 0]), ("odd image", (1, 7, 9, 2), [2, 3], [2, 3], [0, 1]),
         ("image, 17 channels", (1, 6, 6, 17), [3, 2], [3, 2], [1, 0]),
         ("volume", (1, 4, 6, 5, 2), [2, 2, 2], [2, 2, 2], [0, 0, 0]),
         ("volume, padded", (2, 5, 3, 4, 3), [3, 1, 2], [3, 2, 2], [1, 0, 1]),
         ("empty batch", (0, 4, 4, 2), [2, 2], [2, 2], [0, 0])]


def first(x):
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def pooled(x, kernel, stride, padding):
    function = [F.max_pool1d, F.max_pool2d, F.max_pool3d][len(kernel) - 1]
    return function(first(x), kernel, stride, padding, return_indices=True)


@operation("maxPoolIndices")
def indices(g):
    for label, shape, kernel, stride, padding in POOLS + [("overlapping", (2, 6, 7, 3), [3, 3], [1, 2], [1, 1])]:
        g.case(label, lambda x: last(pooled(x, kernel, stride, padding)[1]), {"x": g.distinct(*shape)},
               {"kernel": kernel, "stride": stride, "padding": padding}, gradients=False)


@operation("maxUnpool")
def unpool(g):
    for label, shape, kernel, stride, padding in POOLS:
        function = [F.max_unpool1d, F.max_unpool2d, F.max_unpool3d][len(kernel) - 1]
        found = last(pooled(g.distinct(*shape), kernel, stride, padding)[1]).int()
        for size in (list(shape[1:-1]), None):
            # PyTorch refuses places beyond the size that it infers; ours says so too.
            if size is None and (found.numel() == 0 or any(
                    (n - 1) * s - 2 * p + k != full for n, s, p, k, full in
                    zip(found.shape[1:-1], stride, padding, kernel, shape[1:-1]))):
                continue
            g.case(f"{label}{'' if size else ', inferred'}",
                   lambda x, i: last(function(first(x), first(i), kernel, stride, padding, size))
                   if x.numel() else x.new_zeros(0, *size, x.shape[-1]) + x.sum(),
                   {"x": g.normal(*found.shape), "indices": found},
                   {"kernel": kernel, "stride": stride, "padding": padding, "size": size})
