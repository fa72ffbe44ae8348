"""Operations that read between and beyond elements, and Einstein sums. Images are channels last."""

import numpy as np
import scipy.ndimage
import torch
from torch.nn import functional as F

from golden import operation

MODES = {"reflect": "reflect", "circular": "circular", "replicate": "replicate", "zeros": "constant"}


def pad_axis(x, axis, before, after, mode):
    if mode == "zeros":
        shape = list(x.shape)
        shape[axis] = before
        front = x.new_zeros(shape)
        shape[axis] = after
        return torch.cat([front, x, x.new_zeros(shape)], axis)
    if mode == "symmetric":
        places = np.pad(np.arange(x.shape[axis]), (before, after), mode="symmetric")
        return x.index_select(axis, torch.from_numpy(places))
    moved = x.movedim(axis, -1)
    flat = moved.reshape(1, -1, moved.shape[-1])
    padded = F.pad(flat, (before, after), mode=MODES[mode])
    return padded.reshape(moved.shape[:-1] + padded.shape[-1:]).movedim(-1, axis)


@operation("padMode")
def pad_mode(g):
    rows = [("reflect", (2, 7), "contiguous", 1, 3, 2, "reflect"),
            ("reflect all but one", (5, 3), "transposed", 0, 4, 4, "reflect"),
            ("reflect one sided", (2, 3, 5), "sliced", -1, 0, 2, "reflect"),
            ("circular", (3, 7), "contiguous", 1, 2, 5, "circular"),
            ("circular whole", (4, 3), "transposed", 0, 4, 4, "circular"),
            ("replicate", (3, 5), "contiguous", 1, 3, 6, "replicate"),
            ("replicate one element", (3, 1), "contiguous", 1, 2, 2, "replicate"),
            ("zeros", (3, 1, 4), "transposed", 1, 1, 2, "zeros"),
            ("large", (33, 41), "contiguous", 0, 17, 9, "reflect")]
    rows += [("symmetric", (2, 7), "contiguous", 1, 3, 2, "symmetric"),
             ("symmetric whole", (4, 3), "transposed", 0, 4, 4, "symmetric")]
    for label, shape, layout, axis, before, after, mode in rows:
        g.case(label, lambda x: pad_axis(x, axis, before, after, mode), {"x": g.normal(*shape)},
               {"axis": axis, "before": before, "after": after, "mode": mode}, {"x": layout})


@operation("gaussianFilter")
def gaussian_filter(g):
    names = {"symmetric": "reflect", "reflect": "mirror", "circular": "wrap", "replicate": "nearest",
             "zeros": "constant"}
    rows = [("symmetric", (4, 11), "contiguous", 1, 1.0, "symmetric", 4.0),
            ("columns", (13, 3), "transposed", 0, 1.7, "symmetric", 4.0),
            ("reflect", (2, 9, 3), "sliced", 1, 1.2, "reflect", 3.0),
            ("circular", (12,), "contiguous", 0, 2.0, "circular", 4.0),
            ("replicate", (3, 8), "contiguous", 1, 0.8, "replicate", 4.0),
            ("zeros", (3, 8), "contiguous", 1, 0.8, "zeros", 4.0),
            ("wider than the row", (3, 5), "contiguous", 1, 4.0, "symmetric", 4.0),
            ("wider, reflect", (2, 4), "contiguous", 1, 3.0, "reflect", 4.0),
            ("too narrow to blur", (3, 5), "contiguous", 1, 0.1, "symmetric", 4.0),
            ("large", (33, 65), "contiguous", 0, 2.5, "symmetric", 4.0)]
    for label, shape, layout, axis, sigma, mode, reach in rows:
        # The filter is linear along one axis: SciPy's matrix of it, from unit vectors.
        matrix = torch.from_numpy(scipy.ndimage.gaussian_filter1d(
            np.eye(shape[axis]), sigma, axis=0, mode=names[mode], truncate=reach))
        g.case(label, lambda x: (matrix @ x.movedim(axis, -1).unsqueeze(-1)).squeeze(-1).movedim(-1, axis),
               {"x": g.normal(*shape)}, {"axis": axis, "sigma": sigma, "mode": mode, "reach": reach},
               {"x": layout})


@operation("resize")
def resize(g):
    names = {(1, "linear"): "linear", (2, "linear"): "bilinear", (2, "cubic"): "bicubic",
             (3, "linear"): "trilinear"}
    rows = [("line up", (2, 5, 3), [9], "linear", False), ("line down", (2, 9, 1), [4], "linear", False),
            ("to one", (1, 5, 2), [1], "linear", False), ("from one", (2, 1, 3), [4], "linear", False),
            ("image up", (2, 5, 7, 3), [8, 13], "linear", False),
            ("image down", (1, 11, 9, 2), [4, 5], "linear", False),
            ("corners", (2, 5, 7, 3), [9, 4], "linear", True),
            ("corners to one", (1, 5, 4, 1), [1, 7], "linear", True),
            ("cubic up", (2, 5, 7, 2), [11, 9], "cubic", False),
            ("cubic down", (1, 9, 8, 3), [4, 3], "cubic", False),
            ("cubic corners", (1, 5, 6, 1), [9, 4], "cubic", True),
            ("nearest up", (2, 5, 3, 2), [7, 7], "nearest", False),
            ("nearest down", (1, 9, 7, 3), [4, 2], "nearest", False),
            ("volume", (1, 3, 4, 5, 2), [5, 3, 7], "linear", False),
            ("large", (2, 16, 17, 3), [31, 12], "linear", False)]
    for label, shape, sizes, mode, corners in rows:
        def function(x):
            options = {} if mode == "nearest" else {"align_corners": corners}
            kind = "nearest" if mode == "nearest" else names[(len(sizes), mode)]
            return F.interpolate(x.movedim(-1, 1), size=sizes, mode=kind, **options).movedim(1, -1)
        layout = "transposed" if label in ("image up", "nearest up") else "contiguous"
        g.case(label, function, {"x": g.normal(*shape)},
               {"sizes": sizes, "mode": mode, "alignCorners": corners}, {"x": layout})


@operation("gridSample")
def grid_sample(g):
    names = {"zeros": "zeros", "reflect": "reflection", "replicate": "border"}
    rows = [("inside", (2, 5, 7, 3), (4, 3), 0.9, "zeros", False, "linear"),
            ("beyond", (2, 5, 7, 2), (5, 4), 1.7, "zeros", False, "linear"),
            ("corners", (1, 6, 5, 2), (7,), 1.5, "zeros", True, "linear"),
            ("border", (2, 4, 6, 1), (3, 3), 2.5, "replicate", False, "linear"),
            ("border corners", (1, 4, 3, 2), (9,), 1.6, "replicate", True, "linear"),
            ("reflect", (2, 5, 4, 2), (6, 2), 2.7, "reflect", False, "linear"),
            ("reflect corners", (1, 5, 4, 3), (8,), 3.3, "reflect", True, "linear"),
            ("one element", (2, 1, 1, 2), (5,), 1.2, "zeros", False, "linear"),
            ("volume", (1, 3, 4, 5, 2), (4, 3), 1.3, "zeros", False, "linear"),
            ("large", (2, 9, 8, 4), (13, 11), 1.2, "zeros", False, "linear"),
            ("line", (2, 7, 3), (6,), 1.4, "zeros", False, "linear"),
            ("line, border corners", (1, 5, 17), (3, 4), 2.2, "replicate", True, "linear"),
            ("line, reflect", (3, 6, 1), (9,), 3.1, "reflect", False, "linear"),
            ("volume, border", (2, 3, 2, 4, 1), (7,), 1.9, "replicate", False, "linear"),
            ("volume, reflect corners", (1, 4, 3, 5, 19), (3, 2), 2.4, "reflect", True, "linear"),
            ("volume, corners", (1, 2, 3, 3, 2), (2, 2, 3), 1.4, "zeros", True, "linear"),
            ("nearest", (2, 5, 6, 3), (4, 5), 1.4, "zeros", False, "nearest"),
            ("nearest, border corners", (1, 4, 7, 2), (11,), 1.8, "replicate", True, "nearest"),
            ("nearest, reflect volume", (1, 3, 4, 2, 5), (9,), 2.3, "reflect", False, "nearest"),
            ("nearest line", (2, 8, 2), (7,), 1.3, "zeros", True, "nearest"),
            ("cubic", (2, 5, 6, 3), (4, 3), 1.4, "zeros", False, "cubic"),
            ("cubic corners", (1, 6, 4, 17), (7,), 1.5, "zeros", True, "cubic"),
            ("cubic border", (1, 4, 5, 2), (3, 4), 2.1, "replicate", False, "cubic"),
            ("cubic reflect", (2, 5, 3, 2), (8,), 2.6, "reflect", False, "cubic"),
            ("cubic reflect corners", (1, 4, 5, 1), (9,), 2.8, "reflect", True, "cubic"),
            ("cubic line", (2, 7, 3), (5,), 1.3, "zeros", False, "cubic")]

    def sample(shape, places, mode, corners, kind):
        axes = len(shape) - 2

        def function(x, coordinates):
            if axes == 1:  # PyTorch has no sampling of lines: an image of one row, read in its middle.
                x = x.unsqueeze(1)
                coordinates = torch.stack([torch.zeros_like(coordinates), coordinates], -1).flatten(-2)
            # PyTorch wants (x, y[, z]), the last spatial axis first, and as many axes of places.
            known = max(axes, 2)
            lead = (1,) * (known - 1) + (-1,)
            grid = coordinates.flip(-1).reshape(shape[0], *lead, known)
            how = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}[kind]
            y = F.grid_sample(x.movedim(-1, 1), grid, mode=how, padding_mode=names[mode],
                              align_corners=corners)
            return y.movedim(1, -1).reshape(shape[0], *places, shape[-1])
        return function

    for label, shape, places, reach, mode, corners, kind in rows:
        g.case(label, sample(shape, places, mode, corners, kind),
               {"x": g.normal(*shape),
                "coordinates": g.uniform(-reach, reach, shape[0], *places, len(shape) - 2)},
               {"mode": mode, "alignCorners": corners, "interpolation": kind})
    # Exactly on the elements, the borders included, where derivatives are one-sided or none.
    axis = torch.linspace(-1, 1, 5)
    for label, mode in (("on the elements, zeros", "zeros"), ("on the elements, border", "replicate"),
                        ("on the elements, reflect", "reflect")):
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)[None]
        g.case(label, sample((1, 5, 5, 2), (5, 5), mode, True, "linear"),
               {"x": g.normal(1, 5, 5, 2), "coordinates": grid},
               {"mode": mode, "alignCorners": True, "interpolation": "linear"})


@operation("einsum")
def einsum(g):
    rows = [("matrix", "ij,jk->ik", [(3, 5), (5, 7)]), ("batched", "bij,bjk->bik", [(2, 3, 5), (2, 5, 4)]),
            ("implicit", "ij,jk", [(3, 5), (5, 2)]), ("trace", "ii->", [(5, 5)]),
            ("diagonal", "bii->bi", [(2, 4, 4)]), ("outer", "i,j->ij", [(3,), (7,)]),
            ("sum all", "ijk->", [(2, 3, 5)]), ("permute", "ijk->kij", [(2, 3, 5)]),
            ("heads", "bqhd,bkhd->bhqk", [(2, 5, 3, 4), (2, 7, 3, 4)]),
            ("three", "ab,bc,cd->ad", [(3, 4), (4, 5), (5, 2)]),
            ("lonely axes", "ab,cd->ad", [(3, 2), (4, 5)]), ("elementwise", "ab,ab->ab", [(3, 5), (3, 5)]),
            ("inner", "a,a->", [(7,), (7,)]), ("empty", "ab,bc->ac", [(3, 0), (0, 2)]),
            ("bilinear", "bi,oij,bj->bo", [(4, 3), (2, 3, 5), (4, 5)]),
            ("large", "bij,kj->bik", [(3, 17, 19), (13, 19)])]
    for label, formula, shapes in rows:
        inputs = {f"x{i}": g.normal(*shape) for i, shape in enumerate(shapes)}
        layouts = {"x0": "transposed"} if label in ("batched", "heads", "three") else {}
        g.case(label, lambda *xs: torch.einsum(formula, *xs), inputs, {"formula": formula}, layouts)
