"""Writes distributions.safetensors: where SciPy's distributions have their quantiles and how much lies between.

    pip install scipy numpy safetensors==0.8.0
    python distributions.py

Continuous ones: `<name>`, the quantiles 1/50 ... 49/50. Discrete ones: `<name>.cuts` c, ascending, and
`<name>.probabilities`, one more, of the values up to c[0], above it up to c[1], ... and above the last.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file
from scipy import stats

continuous = {
    "gamma 0.1": stats.gamma(0.1), "gamma 1": stats.gamma(1), "gamma 3.5": stats.gamma(3.5),
    "gamma 50": stats.gamma(50), "gamma 1e6": stats.gamma(1e6), "beta 0.5 0.5": stats.beta(0.5, 0.5),
    "beta 2 5": stats.beta(2, 5), "beta 0.1 3": stats.beta(0.1, 3), "beta 80 60": stats.beta(80, 60),
    "exponential": stats.expon(), "gumbel": stats.gumbel_r(),
}
tensors = {name: d.ppf(np.arange(1, 50) / 50) for name, d in continuous.items()}
for rate in ["0.1", "3", "5", "9.99", "10", "40", "1e4", "1e8"]:
    d = stats.poisson(float(rate))
    # Enough values between two cuts for at least 1/100 of the numbers.
    cuts = np.unique(d.ppf(np.arange(1, 50) / 50))
    while len(cuts) > 1 and d.sf(cuts[-1]) < 0.002:
        cuts = cuts[:-1]
    edges = np.concatenate([[0], d.cdf(cuts), [1]])
    tensors |= {f"poisson {rate}.cuts": cuts.astype(np.float64), f"poisson {rate}.probabilities": np.diff(edges)}
save_file(tensors, pathlib.Path(__file__).parent / "distributions.safetensors")
