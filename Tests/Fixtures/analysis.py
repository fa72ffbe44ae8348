"""Writes analysis/*.safetensors: what scikit-learn, SciPy and others find, in float64.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 kmedoids==0.5.5 pandas==3.1.1 \\
        scikit-image==0.26.0 safetensors==0.8.0
    python analysis.py

Names are <case>.<what>; whole numbers are int32.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).with_name("analysis")


def save(name, tensors):
    def stored(value):
        value = np.asarray(value)
        kind = np.int32 if value.dtype.kind in "iub" else np.float64
        return np.array(value, dtype=kind, order="C")

    save_file({key: stored(value) for key, value in tensors.items()}, str(FOLDER / f"{name}.safetensors"))


def clusters():
    """Lloyd's steps from given centroids, medoids, and the best places for points."""
    import kmedoids
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans

    out = {}
    random = np.random.default_rng(1)
    for name, (count, width, k) in {"small": (17, 3, 4), "wide": (60, 7, 5), "line": (23, 1, 3)}.items():
        points = random.normal(size=(count, width)) + 2 * random.integers(0, 3, (count, 1))
        start = points[random.permutation(count)[:k]]
        weights = random.uniform(0.1, 3, count)
        out |= {f"{name}.points": points, f"{name}.start": start, f"{name}.weights": weights}
        for form, sample in {"even": None, "weighted": weights}.items():
            found = KMeans(k, init=start, n_init=1, tol=0, algorithm="lloyd").fit(points, sample_weight=sample)
            out |= {
                f"{name}.{form}.centroids": found.cluster_centers_,
                f"{name}.{form}.assignment": found.labels_,
                f"{name}.{form}.inertia": found.inertia_,
            }
        distances = cdist(points, points)
        found = kmedoids.pam(distances, k, max_iter=100, init="build")
        out |= {f"{name}.distances": distances, f"{name}.medoids": np.sort(found.medoids), f"{name}.loss": found.loss}
        # Sizes that are even: each group so many columns, those beyond the least one only as far as needed.
        cost = cdist(points, start, "sqeuclidean")
        least, more = divmod(count, k)
        slots = np.repeat(np.arange(k), least + (more > 0))
        isExtra = np.tile(np.arange(least + (more > 0)) >= least, k)
        table = cost[:, slots] + np.where(isExtra, 1e4, 0)
        rows, columns = linear_sum_assignment(table)
        out[f"{name}.balanced"] = cost[rows, slots[columns]].sum()
    save("clusters", out)


if __name__ == "__main__":
    for file in [clusters]:
        file()
