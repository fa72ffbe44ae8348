"""Distances between points, and functions of directions."""

import numpy as np
import scipy.special
import torch
from torch.nn import functional as F

from golden import operation

PAIRS = [("plain", (5, 3), (7, 3)), ("one point", (1, 4), (6, 4)), ("width one", (5, 1), (4, 1)),
         ("batches", (2, 5, 3), (2, 7, 3)), ("broadcast", (2, 3, 5, 3), (4, 3)), ("none", (5, 3), (0, 3)),
         ("large", (41, 19), (53, 19))]


def pairs(name, function, make=lambda g, *shape: g.normal(*shape)):
    @operation(name)
    def describe(g):
        for label, x, y in PAIRS:
            # Numbers alone have the cosines 1 and -1, whose derivatives are 0 but for rounding.
            if name == "cosineSimilarities" and x[-1] == 1:
                continue
            g.case(label, function, {"a": make(g, *x), "b": make(g, *y)})
        g.case("transposed", function, {"a": make(g, 5, 3), "b": make(g, 7, 3)},
               layouts={"a": "transposed", "b": "transposed"})
        g.case("far away", function, {"a": make(g, 5, 3) + 1000, "b": make(g, 7, 3) + 1000},
               gradients=name == "squaredDistances")


pairs("squaredDistances", lambda x, y: ((x.unsqueeze(-2) - y.unsqueeze(-3)) ** 2).sum(-1))
pairs("cosineSimilarities", lambda x, y: F.cosine_similarity(x.unsqueeze(-2), y.unsqueeze(-3), dim=-1))


@operation("nearestNeighbours")
def nearest_neighbours(g):
    for label, x, y, count, block in [
            ("one", (6, 3), (9, 3), 1, 4096), ("some", (6, 3), (9, 3), 4, 4096), ("in blocks", (7, 3), (50, 3), 5, 8),
            ("all", (4, 2), (5, 2), 5, 2), ("width one", (5, 1), (8, 1), 3, 3), ("large", (60, 8), (300, 8), 10, 64)]:
        g.case(label, lambda x, y: torch.topk(((x.unsqueeze(1) - y) ** 2).sum(-1), count, largest=False)[0],
               {"a": g.normal(*x), "b": g.normal(*y)}, {"count": count, "block": block})


def real_harmonics(x, degree):
    """By the derivatives of Legendre's polynomials and powers of x + iy, checked against SciPy's values."""
    real, imaginary, z = torch.ones_like(x[..., 0]), torch.zeros_like(x[..., 0]), x[..., 2]
    columns = {}
    for m in range(degree + 1):
        for l in range(m, degree + 1):
            series = np.polynomial.legendre.leg2poly(
                np.polynomial.legendre.legder([0] * l + [1], m) if m else [0] * l + [1])
            legendre = sum(c * z ** i for i, c in enumerate(series)) * (-1) ** m
            norm = ((2 * l + 1) / (4 * np.pi) * scipy.special.factorial(l - m) / scipy.special.factorial(l + m)
                    * (1 if m == 0 else 2)) ** 0.5
            columns[l, m] = norm * legendre * real
            if m:
                columns[l, -m] = norm * legendre * imaginary
        real, imaginary = real * x[..., 0] - imaginary * x[..., 1], real * x[..., 1] + imaginary * x[..., 0]
    found = torch.stack([columns[l, m] for l in range(degree + 1) for m in range(-l, l + 1)], -1)
    values = found.detach().numpy()
    unit = x.detach().numpy() / np.linalg.norm(x.detach().numpy(), axis=-1, keepdims=True)
    polar, azimuth = np.arccos(unit[..., 2]), np.arctan2(unit[..., 1], unit[..., 0])
    for l in range(degree + 1):
        for m in range(-l, l + 1):
            value = scipy.special.sph_harm_y(l, abs(m), polar, azimuth)
            part = (value.imag if m < 0 else value.real) * (1 if m == 0 else 2 ** 0.5)
            assert np.allclose(values[..., l * l + l + m], part, atol=1e-5), (l, m)
    return found


@operation("sphericalHarmonics")
def spherical_harmonics(g):
    for degree, shape, layout in [
            (0, (5, 3), "contiguous"), (1, (5, 3), "transposed"), (2, (3, 4, 3), "sliced"), (3, (7, 3), "contiguous"),
            (4, (9, 3), "contiguous"), (8, (6, 3), "contiguous"), (3, (0, 3), "contiguous")]:
        x = g.normal(*shape)
        x = x / x.norm(dim=-1, keepdim=True)
        g.case(f"degree {degree}, {list(shape)}", lambda x: real_harmonics(x, degree), {"x": x},
               {"degree": degree}, {"x": layout})


@operation("rotationMatrices")
def rotation_matrices(g):
    from scipy.spatial.transform import Rotation

    def function(q):
        q = q / q.norm(dim=-1, keepdim=True)
        w, x, y, z = q.unbind(-1)
        # The columns are what happens to the axes: v + 2 u x (u x v + w v).
        u, axes = torch.stack([x, y, z], -1), torch.eye(3, dtype=q.dtype).expand(*q.shape[:-1], 3, 3)
        u = u.unsqueeze(-2).expand_as(axes)
        inner = torch.linalg.cross(u, axes) + w[..., None, None] * axes
        matrices = (axes + 2 * torch.linalg.cross(u, inner)).mT
        if q.numel():
            known = Rotation.from_quat(q.detach().reshape(-1, 4).numpy(), scalar_first=True).as_matrix()
            assert np.allclose(known.reshape(matrices.shape), matrices.detach().numpy(), atol=1e-14)
        return matrices

    for label, shape, layout in [("one", (4,), "contiguous"), ("many", (7, 4), "contiguous"),
                                 ("batches", (2, 3, 4), "contiguous"), ("none", (0, 4), "contiguous"),
                                 ("transposed", (5, 4), "transposed"), ("sliced", (3, 4), "sliced"),
                                 ("large", (61, 4), "contiguous")]:
        g.case(label, function, {"q": g.normal(*shape)}, layouts={"q": layout})
