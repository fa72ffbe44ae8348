"""Writes shapes.safetensors: components, distances and skeletons of masks and graphs by other programs.

    pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1 \
        scikit-image==0.26.0 opencv-contrib-python-headless==5.0.0.93
    python Tests/Fixtures/analysis/shapes.py

`masks/<name>` are bool. `faces/` and `all/<name>` are SciPy's labels, numbered by first elements;
`distance/<name>` SciPy's distances, `spaced/<name>` with axes of 1.5, 0.7 and 2; `zhang/<name>` OpenCV's
thinning of Zhang and Suen, `lee/<name>` scikit-image's of Lee. `graph/<name>/from`, `to` and `labels`.
"""

import pathlib
import sys

import cv2
import numpy as np
import torch
from scipy import ndimage, sparse
from skimage import morphology

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import golden

random = np.random.default_rng(7)
golden.STORED[torch.float64] = "F64"


def blobs(*shape, smoothing, share):
    noise = ndimage.gaussian_filter(random.standard_normal(shape), smoothing)
    return noise > np.quantile(noise, 1 - share)


def letter():
    image = np.zeros((40, 50), np.uint8)
    cv2.ellipse(image, (25, 20), (17, 12), 20, 0, 300, 1, 5)
    cv2.line(image, (3, 35), (45, 4), 1, 4)
    return image > 0


def knot():
    """A thick closed curve in space with a rod through it."""
    t = np.linspace(0, 2 * np.pi, 400)
    curve = np.stack([10 + 3 * np.sin(3 * t), 12 + 7 * np.cos(t), 12 + 7 * np.sin(t)], 1)
    places = np.stack(np.meshgrid(*[np.arange(n) for n in (20, 25, 25)], indexing="ij"), -1)
    near = np.full(places.shape[:3], np.inf)
    for point in curve:
        near = np.minimum(near, ((places - point) ** 2).sum(-1))
    volume = near < 4.5
    volume[1:19, 11:14, 11:14] = True
    return volume


MASKS = {
    "line": random.random(31) < 0.6, "noise": random.random((23, 37)) < 0.45,
    "dense": random.random((20, 17)) < 0.8, "blobs": blobs(48, 61, smoothing=3, share=0.4),
    "letter": letter(), "column": random.random((9, 1)) < 0.5, "nothing": np.zeros((4, 6), bool),
    "one": np.eye(1, 1, dtype=bool), "frame": np.pad(np.zeros((5, 8), bool), 3, constant_values=True),
    "noise in space": random.random((9, 11, 13)) < 0.3, "dense in space": random.random((8, 9, 7)) < 0.7,
    "blobs in space": blobs(20, 22, 25, smoothing=2, share=0.3), "knot": knot(),
    "flat": blobs(1, 15, 16, smoothing=1, share=0.5), "thin": blobs(12, 1, 13, smoothing=1, share=0.5),
}


def by_first(labels):
    """Numbered from 1 in the order of first elements, 0 staying 0."""
    found, place = np.unique(labels, return_index=True)
    order = found[found != 0][np.argsort(place[found != 0])]
    numbers = np.zeros(labels.max(initial=0) + 1, np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    return numbers[labels]


def main():
    tensors = {}
    for name, mask in MASKS.items():
        tensors[f"masks/{name}"] = mask
        whole = np.ones((3,) * mask.ndim)
        tensors[f"faces/{name}"] = by_first(ndimage.label(mask)[0])
        tensors[f"all/{name}"] = by_first(ndimage.label(mask, whole)[0])
        if not mask.all():
            tensors[f"distance/{name}"] = ndimage.distance_transform_edt(mask)
            spacing = (1.5, 0.7, 2.0)[:mask.ndim]
            tensors[f"spaced/{name}"] = ndimage.distance_transform_edt(mask, sampling=spacing)
        if mask.ndim > 1:
            tensors[f"lee/{name}"] = morphology.skeletonize(mask, method="lee") > 0
        if mask.ndim == 2:
            # OpenCV leaves the outermost elements alone.
            framed = np.pad(mask, 1).astype(np.uint8) * 255
            thin = cv2.ximgproc.thinning(framed, thinningType=cv2.ximgproc.THINNING_ZHANGSUEN)
            tensors[f"zhang/{name}"] = thin[1:-1, 1:-1] > 0
    for name, nodes, edges in (("tree", 200, 150), ("dense", 50, 300), ("no edges", 7, 0), ("loops", 40, 25)):
        ends = random.integers(0, nodes, (2, edges)).astype(np.int32)
        graph = sparse.coo_matrix((np.ones(edges), ends), (nodes, nodes))
        labels = by_first(sparse.csgraph.connected_components(graph, directed=False)[1] + 1) - 1
        tensors |= {f"graph/{name}/from": ends[0], f"graph/{name}/to": ends[1], f"graph/{name}/labels": labels}
    golden.write_safetensors(
        pathlib.Path(__file__).parent / "shapes.safetensors",
        {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in tensors.items()}, {})


main()
