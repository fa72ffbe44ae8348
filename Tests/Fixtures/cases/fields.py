"""What networks of coordinates and of splines read their inputs with."""

import numpy as np
import torch
from scipy.interpolate import BSpline

from golden import operation


def spline_basis(x, intervals, low, high, degree):
    """By Cox and de Boor; the values also by SciPy."""
    step = (high - low) / intervals
    knots = low + step * torch.arange(-degree, intervals + degree + 1, dtype=torch.float64)
    place = x.unsqueeze(-1)
    basis = ((place >= knots[:-1]) & (place < knots[1:])).double()
    for p in range(1, degree + 1):
        left, right = knots[:-p - 1], knots[p + 1:]
        basis = ((place - left) / (p * step) * basis[..., :-1]
                 + (right - place) / (p * step) * basis[..., 1:])
    if x.numel():
        inside = x.detach().numpy().ravel()
        each = [BSpline.basis_element(knots[i:i + degree + 2].numpy(), extrapolate=False)(inside)
                for i in range(intervals + degree)]
        expected = np.nan_to_num(np.stack(each, -1)).reshape(*x.shape, -1)
        assert np.allclose(basis.detach().numpy(), expected, atol=1e-12)
    return basis + 0 * place


@operation("bsplineBasis")
def bspline_basis(g):
    cases = [("cubic", (5, 7), 8, -1, 1, 3), ("vector", (19,), 5, 0, 2, 3), ("constant", (33,), 4, -1, 1, 0),
             ("linear", (3, 11), 3, -2, 1, 1), ("quadratic", (2, 3, 5), 1, 0, 1, 2),
             ("quintic", (17,), 6, -1, 1, 5), ("one interval", (9,), 1, -1, 1, 3),
             ("large", (41, 67), 8, -1, 1, 3)]
    for label, shape, intervals, low, high, degree in cases:
        # Beyond both ends too, but not on a knot, where low degrees have no derivative.
        width = (high - low) / intervals
        cells = g.integers(-degree - 2, intervals + degree + 2, *shape)
        x = (low + width * (cells + g.uniform(0.05, 0.95, *shape))).float()
        g.case(label, lambda x: spline_basis(x, intervals, low, high, degree), {"x": x},
               {"intervals": intervals, "low": low, "high": high, "degree": degree},
               {"x": "transposed" if len(shape) == 2 else "sliced"})
    g.case("empty", lambda x: spline_basis(x, 4, 0, 1, 2), {"x": g.normal(3, 0)},
           {"intervals": 4, "low": 0, "high": 1, "degree": 2})


PRIMES = (1, 2654435761, 805459861, 3674653429)


def hash_grid(x, table, resolutions):
    """Müller et al. (2022), level by level, corner by corner."""
    axes, entries = x.shape[-1], table.shape[1]
    points, levels = x.reshape(-1, axes), []
    for resolution, rows in zip(resolutions, table):
        place = points * resolution
        base = place.detach().floor()
        share, total = place - base, 0
        for corner in range(2**axes):
            later = [corner >> axis & 1 for axis in range(axes)]
            at = [(base[:, axis].long() + later[axis]) & 0xFFFFFFFF for axis in range(axes)]
            if (resolution + 1)**axes <= entries:
                row = sum(at[axis] * (resolution + 1)**axis for axis in range(axes))
            else:
                row = 0
                for axis in range(axes):
                    row = row ^ (at[axis] * PRIMES[axis] & 0xFFFFFFFF)
            row = (row & 0xFFFFFFFF) % entries
            weight = 1
            for axis in range(axes):
                weight = weight * (share[:, axis] if later[axis] else 1 - share[:, axis])
            total = total + torch.as_tensor(weight).unsqueeze(-1) * rows[row]
        levels.append(total)
    return torch.cat(levels, -1).reshape(*x.shape[:-1], len(levels) * table.shape[2])


@operation("hashGridEncoding")
def hash_grid_encoding(g):
    cases = [("plane", (7,), 2, 32, 2, [2, 3, 5, 9]), ("space", (3, 5), 3, 64, 2, [2, 4, 7]),
             ("line", (17,), 1, 8, 3, [3, 20]), ("four axes", (6,), 4, 16, 1, [1, 2]),
             ("odd table", (9,), 2, 27, 2, [4, 11]), ("one point", (), 3, 16, 4, [5]),
             ("no points", (0,), 2, 8, 2, [2]), ("large", (211,), 3, 128, 2, [4, 6, 16, 31])]
    for label, shape, axes, entries, features, resolutions in cases:
        # Away from the borders of cells, where the derivative jumps.
        fine = int(np.lcm.reduce(resolutions))
        x = (g.integers(0, fine, *shape, axes) + g.uniform(0.2, 0.8, *shape, axes)) / fine
        if label == "plane":
            x = x * 1.5 - 0.25
        g.case(label, lambda x, table: hash_grid(x, table, resolutions),
               {"x": x.float(), "table": g.normal(len(resolutions), entries, features)},
               {"resolutions": resolutions}, {"table": "sliced"})
