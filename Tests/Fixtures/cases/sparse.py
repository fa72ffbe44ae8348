"""Sparse matrices from rows, columns and values; elements that meet are summed."""

import torch

from golden import operation

# (label, rows, columns, entries)
MATRICES = [("square", 7, 7, 15), ("wide", 4, 9, 11), ("tall", 11, 3, 20), ("no elements", 5, 4, 0),
            ("one row", 1, 6, 4), ("elements that meet", 3, 4, 40), ("large", 60, 45, 300)]


def dense(r, c, v, rows, columns):
    return torch.zeros(rows, columns, dtype=v.dtype).index_put((r, c), v, accumulate=True)


def lists(g, rows, columns, entries):
    return {"rows": g.integers(0, rows, entries), "columns": g.integers(0, columns, entries),
            "values": g.normal(entries)}


@operation("sparseMatmul")
def product(g):
    for label, rows, columns, entries in MATRICES:
        for width, batch in ((5, ()), (1, (3,)), (33, ()), (150, (2,)), (None, ())):
            for turned in (False, True):
                inner = rows if turned else columns
                x = batch + ((inner,) if width is None else (inner, width))

                def function(r, c, v, x):
                    a = dense(r, c, v, rows, columns)
                    y = (a.T if turned else a) @ x
                    given = torch.sparse_coo_tensor(torch.stack([r, c]), v, (rows, columns))
                    given = (given.t() if turned else given).coalesce().to_sparse_csr()
                    if x.dim() == 2 and x.dtype == torch.float64:
                        assert torch.allclose(given.detach() @ x.detach(), y.detach(), atol=1e-12)
                    return y

                if label == "large" and width == 150:
                    continue
                g.case(f"{label}, {'a vector' if width is None else f'width {width}'}"
                       f"{', transposed' if turned else ''}",
                       function, {**lists(g, rows, columns, entries), "x": g.normal(*x)},
                       {"shape": [rows, columns], "transposed": turned},
                       {"x": "transposed" if width == 5 else "contiguous"})


@operation("sparseDense")
def to_dense(g):
    for label, rows, columns, entries in MATRICES:
        g.case(label, lambda r, c, v: dense(r, c, v, rows, columns), lists(g, rows, columns, entries),
               {"shape": [rows, columns]})


@operation("sparseFromDense")
def from_dense(g):
    """What is 0 takes no part: its gradient is 0."""
    for label, rows, columns, _ in MATRICES + [("every element", 4, 5, 20)]:
        mask = g.booleans(rows, columns, chance=1 if label == "every element" else 0.3)
        g.case(label, lambda x, w: torch.where(x != 0, x, x.detach()) @ w,
               {"x": g.normal(rows, columns) * mask, "w": g.normal(columns, 6)},
               layouts={"x": "transposed"})


def positive(g, rows, columns, entries):
    return {**lists(g, rows, columns, entries), "values": g.uniform(0.25, 2, entries)}


def inverse(sums, power):
    kept = sums > 0
    return torch.where(kept, torch.where(kept, sums, 1.0) ** power, 0.0)


@operation("sparseNormalisedRows")
def normalised_rows(g):
    for label, rows, columns, entries in MATRICES:
        def function(r, c, v):
            a = dense(r, c, v, rows, columns)
            return inverse(a.sum(1, keepdim=True), -1) * a

        g.case(label, function, positive(g, rows, columns, entries), {"shape": [rows, columns]})


@operation("sparseNormalisedSymmetrically")
def normalised_symmetrically(g):
    for label, size, entries, diagonal in (
            ("no loops", 7, 15, None), ("loops", 7, 15, 1.0), ("heavy loops", 5, 12, 2.5),
            ("no edges", 4, 0, 1.0), ("nothing", 4, 0, None), ("edges that meet", 3, 40, 1.0),
            ("large", 30, 200, 1.0)):
        def function(r, c, v):
            a = dense(r, c, v, size, size) + (diagonal or 0) * torch.eye(size, dtype=v.dtype)
            d = inverse(a.sum(1), -0.5)
            return d[:, None] * a * d[None, :]

        g.case(label, function, positive(g, size, size, entries),
               {"shape": [size, size], "diagonal": diagonal})
