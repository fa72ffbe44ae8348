"""Linear algebra. What is arbitrary (the signs of vectors) is taken out of the outputs: a factorisation
is shown by its values and by a product in which the signs cancel."""

import torch

from golden import operation


def transposed(x):
    return x.transpose(-1, -2)


def spread(g, *shape):
    """Matrices whose singular values are well apart: 1, 2, 3, ... up to small changes."""
    *batch, m, n = shape
    k = min(m, n)
    if k == 0:
        return g.normal(*shape)
    u, _ = torch.linalg.qr(g.normal(*batch, m, k))
    v, _ = torch.linalg.qr(g.normal(*batch, n, k))
    return (u * torch.arange(1, k + 1)) @ transposed(v)


def regular(g, *shape):
    """Square matrices far from singular."""
    return g.normal(*shape, scale=0.3) + torch.eye(shape[-1])


def positive(x):
    return x @ transposed(x) + 0.5 * torch.eye(x.shape[-1], dtype=x.dtype)


TALL_AND_WIDE = [
    ("one number", (1, 1), "contiguous"), ("column", (5, 1), "contiguous"),
    ("row", (1, 4), "contiguous"), ("square", (5, 5), "contiguous"), ("tall", (7, 3), "contiguous"),
    ("wide", (3, 7), "contiguous"), ("batch", (3, 4, 2), "contiguous"),
    ("two batches", (2, 3, 3, 3), "contiguous"), ("tall, transposed", (6, 3), "transposed"),
    ("wide batch, sliced", (2, 3, 5), "sliced"), ("empty", (0, 3), "contiguous"),
    ("empty batch", (0, 3, 2), "contiguous")]

SQUARE = [
    ("one number", (1, 1), "contiguous"), ("two", (2, 2), "contiguous"), ("seven", (7, 7), "contiguous"),
    ("batch", (3, 4, 4), "contiguous"), ("two batches", (2, 3, 3, 3), "contiguous"),
    ("transposed", (5, 5), "transposed"), ("batch, sliced", (2, 3, 3), "sliced"),
    ("empty", (0, 0), "contiguous"), ("empty batch", (0, 3, 3), "contiguous"),
    ("twenty", (20, 20), "contiguous")]


@operation("qr")
def qr(g):
    def both(x):
        q, r = torch.linalg.qr(x)
        return torch.cat([q.flatten(-2), r.flatten(-2)], -1)

    for label, shape, layout in TALL_AND_WIDE:
        g.case(label, both, {"x": spread(g, *shape)}, layouts={"x": layout})


@operation("svd")
def svd(g):
    def both(x):
        u, s, vt = torch.linalg.svd(x, full_matrices=False)
        return torch.cat([s, ((u * torch.sin(s).unsqueeze(-2)) @ vt).flatten(-2)], -1)

    for label, shape, layout in TALL_AND_WIDE:
        g.case(label, both, {"x": spread(g, *shape)}, layouts={"x": layout})


@operation("singularValues")
def singular_values(g):
    for label, shape, layout in TALL_AND_WIDE:
        g.case(label, torch.linalg.svdvals, {"x": spread(g, *shape)}, layouts={"x": layout})


@operation("eigh")
def eigh(g):
    def both(x):
        w, v = torch.linalg.eigh((x + transposed(x)) / 2)
        return torch.cat([w, ((v * torch.sin(w).unsqueeze(-2)) @ transposed(v)).flatten(-2)], -1)

    for label, shape, layout in SQUARE[:-1]:
        x = spread(g, *shape)
        g.case(label, both, {"x": x + torch.diag(torch.arange(float(shape[-1])))}, layouts={"x": layout})


@operation("cholesky")
def cholesky(g):
    for label, shape, layout in SQUARE:
        g.case(label, lambda x: torch.linalg.cholesky(positive(x)), {"x": regular(g, *shape)},
               layouts={"x": layout})


@operation("inverse")
def inverse(g):
    for label, shape, layout in SQUARE[:-1]:
        g.case(label, torch.linalg.inv, {"x": regular(g, *shape)}, layouts={"x": layout})


@operation("determinant")
def determinant(g):
    for label, shape, layout in SQUARE[:-1]:
        g.case(label, torch.linalg.det, {"x": regular(g, *shape)}, layouts={"x": layout})
    g.case("negative", torch.linalg.det, {"x": -regular(g, 3, 3)})
    g.case("singular", torch.linalg.det, {"x": torch.ones(3, 3)}, gradients=False)


@operation("logDeterminant")
def log_determinant(g):
    def both(x):
        sign, magnitude = torch.linalg.slogdet(x)
        return torch.stack([sign, magnitude], -1)

    for label, shape, layout in SQUARE[:-1]:
        g.case(label, both, {"x": regular(g, *shape)}, layouts={"x": layout})
    g.case("negative", both, {"x": -regular(g, 2, 3, 3)})


SYSTEMS = [
    ("one number", (1, 1), (1, 1)), ("vector", (4, 4), (4,)), ("matrix", (5, 5), (5, 3)),
    ("batch", (3, 4, 4), (3, 4, 2)), ("one for a batch", (3, 3), (4, 3, 2)),
    ("a batch for one", (2, 3, 3), (3, 2)), ("both broadcast", (2, 1, 3, 3), (4, 3, 2)),
    ("a vector for a batch", (3, 4, 4), (4,)), ("no columns", (3, 3), (3, 0)), ("empty", (0, 0), (0, 2))]


@operation("solve")
def solve(g):
    for label, a, b in SYSTEMS:
        if label == "a vector for a batch":
            g.case(label, lambda a, b: torch.linalg.solve(a, b[:, None].expand(3, 4, 1))[..., 0],
                   {"a": regular(g, *a), "b": g.normal(*b)})
        else:
            g.case(label, torch.linalg.solve, {"a": regular(g, *a), "b": g.normal(*b)})
    g.case("transposed", torch.linalg.solve, {"a": regular(g, 5, 5), "b": g.normal(5, 3)},
           layouts={"a": "transposed", "b": "transposed"})
    g.case("sliced", torch.linalg.solve, {"a": regular(g, 2, 3, 3), "b": g.normal(2, 3, 2)},
           layouts={"a": "sliced", "b": "sliced"})


@operation("triangularSolve")
def triangular_solve(g):
    def case(label, a, b, upper, flipped, layouts=None):
        def call(a, b):
            a = a.triu() if upper else a.tril()
            column = b.unsqueeze(-1) if b.dim() == 1 else b
            x = torch.linalg.solve_triangular(
                transposed(a) if flipped else a, column, upper=upper != flipped)
            return x.squeeze(-1) if b.dim() == 1 else x

        g.case(label, call, {"a": regular(g, *a), "b": g.normal(*b)},
               {"upper": upper, "transposed": flipped}, layouts)

    for upper in (False, True):
        for flipped in (False, True):
            kind = f"{'upper' if upper else 'lower'}{', transposed' if flipped else ''}"
            for label, a, b in SYSTEMS:
                case(f"{label}, {kind}", a, b, upper, flipped)
    case("matrices transposed in memory", (5, 5), (5, 3), True, False,
         {"a": "transposed", "b": "transposed"})
    case("sliced", (2, 3, 3), (2, 3, 2), False, True, {"a": "sliced", "b": "sliced"})


@operation("leastSquares")
def least_squares(g):
    def call(a, b):
        column = b.unsqueeze(-1) if b.dim() == 1 else b
        x = torch.linalg.pinv(a) @ column
        return x.squeeze(-1) if b.dim() == 1 else x

    for label, a, b in [
            ("one number", (1, 1), (1, 1)), ("tall", (7, 3), (7, 2)), ("wide", (3, 7), (3, 2)),
            ("square", (4, 4), (4, 2)), ("vector", (6, 2), (6,)), ("batch", (3, 5, 2), (3, 5, 2)),
            ("wide batch", (2, 2, 4), (2, 2, 1)), ("one for a batch", (5, 3), (2, 5, 2))]:
        g.case(label, call, {"a": spread(g, *a), "b": g.normal(*b)})
    g.case("transposed", call, {"a": spread(g, 6, 3), "b": g.normal(6, 2)},
           layouts={"a": "transposed", "b": "transposed"})


@operation("pseudoInverse")
def pseudo_inverse(g):
    for label, shape, layout in TALL_AND_WIDE:
        g.case(label, torch.linalg.pinv, {"x": spread(g, *shape)}, layouts={"x": layout})


@operation("matrixExponential")
def matrix_exponential(g):
    for label, shape, layout in SQUARE[:-1]:
        g.case(label, torch.linalg.matrix_exp, {"x": g.normal(*shape, scale=0.7)}, layouts={"x": layout})
    g.case("zero", torch.linalg.matrix_exp, {"x": torch.zeros(3, 3)})
    g.case("large", torch.linalg.matrix_exp, {"x": g.normal(4, 4, scale=3)})
    sizes = torch.tensor([0.01, 1, 5]).reshape(3, 1, 1)
    g.case("large and small", torch.linalg.matrix_exp, {"x": g.normal(3, 3, 3) * sizes})
