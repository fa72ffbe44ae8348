"""Writes agreement.safetensors: how far partitions agree, by scikit-learn.

    pip install scikit-learn==1.9.1 numpy==2.4.6 safetensors==0.8.0
    python agreement.py
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

random = np.random.default_rng(0)
cases = {
    "random": (random.integers(0, 4, 50), random.integers(0, 3, 50)),
    "near": ((a := random.integers(0, 6, 120)), np.where(random.random(120) < 0.1, random.integers(0, 6, 120), a)),
    "renamed": ((b := random.integers(0, 5, 40)), 7 - 2 * b),
    "finer": ((c := random.integers(0, 10, 60)), c // 3),
    "against": (np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])),
    "singles": (np.arange(9), np.arange(9)[::-1]),
    "one and singles": (np.zeros(9, int), np.arange(9)),
    "one": (np.zeros(7, int), np.ones(7, int)),
}
out = {}
for name, (a, b) in cases.items():
    out[f"{name}.a"], out[f"{name}.b"] = a.astype(np.int32), b.astype(np.int32)
    out[f"{name}.scores"] = np.array([adjusted_rand_score(a, b), normalized_mutual_info_score(a, b)])
save_file({key: np.ascontiguousarray(value) for key, value in out.items()},
          str(pathlib.Path(__file__).with_name("agreement.safetensors")))
