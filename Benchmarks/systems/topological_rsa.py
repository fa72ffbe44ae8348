"""Geo-topological similarity of 60 stimuli in five layers, in NumPy."""

import numpy as np

from need import Need
from patterns import numbers
from system import System

ITEMS, WIDTHS = 60, (3136, 1568, 576, 128, 10)
PAIRS = np.triu_indices(ITEMS, 1)


def stretched(x):
    return (x - x.min()) / (x.max() - x.min())


def average_ranks(x):
    """Equal values share the average of their ranks."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def geo_topological(distances, lower=0.2, upper=0.8):
    ranks = stretched(average_ranks(distances))
    low, high = np.quantile(ranks, [lower, upper])
    return np.clip((ranks - low) / (high - low), 0, 1)


def geodesic(transformed):
    """Ranks of the shortest paths over edges shorter than 1."""
    lengths = np.full((ITEMS, ITEMS), np.inf)
    lengths[PAIRS] = np.where(transformed < 1, transformed, np.inf)
    lengths = np.minimum(lengths, lengths.T)
    np.fill_diagonal(lengths, 0)
    for through in range(ITEMS):
        np.minimum(lengths, lengths[:, through, None] + lengths[through], out=lengths)
    return average_ranks(lengths[PAIRS])


def statistics(codes):
    found = []
    for code in codes:
        transformed = geo_topological(1 - np.corrcoef(code)[PAIRS])
        found += [transformed, geodesic(stretched(transformed))]
    return found


class Statistics:
    def __init__(self):
        self.codes = [
            numbers((ITEMS, width), place)
            + numbers((ITEMS, 1), 10 + place) * numbers((1, width), 20 + place)
            for place, width in enumerate(WIDTHS)]

    def __call__(self, compiled):
        return lambda: statistics(self.codes)

    def compared(self):
        return [float(x @ numbers(x.shape, 30)) for x in statistics(self.codes)]


WORKLOADS = {
    "topological_rsa": System(
        Statistics, lambda: Statistics().compared(),
        Need(
            5, 2 * 1770 * 5418 / 1e9, 4 * 60 * 5418 / 1e6,
            "sorting 1,770 dissimilarities and 60 rounds of shortest paths for each of five layers"),
        compiles=False),
}
