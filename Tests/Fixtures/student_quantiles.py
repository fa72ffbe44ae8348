"""Prints the golden quantiles of Student's distribution in Tests/Lab/StatisticsTests.swift.

Values by mpmath at 40 digits, because SciPy is itself off by more than 1e-10 in places; the last
column is SciPy's relative distance from them.  pip install mpmath scipy
"""

import mpmath
from scipy import stats

mpmath.mp.dps = 40


def quantile(p, df):
    p, df = mpmath.mpf(p), mpmath.mpf(df)

    def excess(t):
        tail = mpmath.betainc(df / 2, mpmath.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
        return (tail if t < 0 else 1 - tail) - p

    start = mpmath.mpf(stats.t.ppf(float(p), float(df)))
    if start == 0:
        return start
    return mpmath.findroot(excess, (start, start * (1 + mpmath.mpf(10) ** -6)), tol=1e-60)


for df in [1, 2, 2.5, 3, 4, 5, 9, 10, 29, 99, 101, 1000, 1e6]:
    for p in [1e-12, 1e-6, 0.005, 0.025, 0.3, 0.499, 0.5, 0.5001, 0.75, 0.9, 0.975, 0.995]:
        value = quantile(p, df)
        other = stats.t.ppf(p, df)
        distance = abs(other - value) / abs(value) if value else 0
        print(f"    ({p!r}, {df!r}, {mpmath.nstr(value, 17)}),  # {float(distance):.1e}")
