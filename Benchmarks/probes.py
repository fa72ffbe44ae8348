"""Systems that look into networks, in NumPy and PyTorch."""

import types

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from patterns import fill, labels, numbers, pattern

# ---- Ascent of five stimuli through a twin of 120 cells


class Twin(nn.Module):
    """A convolution that all cells share; for each where it looks and what it looks for."""

    def __init__(self, side=16, channels=12, cells=120):
        super().__init__()
        self.convolution = nn.Conv2d(1, channels, 9, padding=4, bias=False)
        self.norm = nn.BatchNorm2d(channels).eval()
        self.positions = nn.Parameter(torch.randn(cells, side * side))
        self.features = nn.Parameter(torch.randn(cells, channels))
        self.bias = nn.Parameter(torch.randn(cells))

    def in_order(self):
        """The parameters in the order of the other side."""
        return [self.convolution.weight, self.norm.weight, self.norm.bias,
                self.positions, self.features, self.bias]

    def forward(self, x):
        seen = self.positions @ self.norm(self.convolution(x)).flatten(2).mT
        return F.elu((seen * self.features).sum(2) + self.bias) + 1


class Ascent:
    def __init__(self, steps=50, clusters=5, cells=120, temperature=1.6, rate=10.0, norm=6.0):
        self.twin = Twin(cells=cells).requires_grad_(False)
        fill(self.twin.in_order())
        self.steps, self.temperature, self.rate, self.norm = steps, temperature, rate, norm
        belongs = F.one_hot(torch.arange(cells) * clusters // cells, clusters).float()
        self.means = belongs / belongs.sum(0)
        self.start = pattern(clusters, 16, 16, 1, stream=1).movedim(3, 1).contiguous()

    def scaled(self, x):
        return x * (self.norm / x.square().sum((1, 2, 3), keepdim=True).sqrt())

    def slope(self, x):
        """Of how well each stimulus tells its cluster's cells from the others."""
        x.requires_grad_()
        means = self.twin(x) @ self.means / self.temperature
        return torch.autograd.grad((means.diagonal() - means.logsumexp(1)).sum(), x)[0]

    def responses(self, slope):
        x = self.scaled(self.start)
        for _ in range(self.steps):
            x = self.scaled(x.detach() + self.rate * slope(x))
        responses = self.twin(x)
        responses.argmax(0)
        return responses

    def __call__(self, compiled):
        slope = compiled(self.slope)
        return lambda: self.responses(slope)

    def compared(self):
        found = self.responses(self.slope)
        return [found.sum().item(), (found * pattern(*found.shape, stream=3)).sum().item()]


ASCENT = types.SimpleNamespace(make=Ascent, compared=lambda: Ascent().compared())

# ---- Geo-topological similarity of 60 stimuli in five layers

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


STATISTICS = types.SimpleNamespace(make=Statistics, compared=lambda: Statistics().compared())

# ---- Scores of retrieval heads in 128 prompts

VOCABULARY = 48


def scores(weights, tokens, needle, written):
    """Weights [batch, layers, heads, steps, keys]; tokens and needle [batch, keys]; written [batch,
    steps]. The needle has as many places in every prompt."""
    batch, layers, heads, steps, _ = weights.shape
    looked = weights.argmax(-1).flatten(1)
    hit = (needle.gather(1, looked) > 0).view(batch, layers, heads, steps)
    copied = tokens.gather(1, looked).view(batch, layers, heads, steps)
    copied = hit & (copied == written[:, None, None])
    earlier = torch.tril(written[:, :, None] == written[:, None], -1)
    repeated = (copied[..., None, :] & earlier[:, None, None]).any(-1)
    wanted = tokens[needle > 0].view(batch, -1)

    def counts(x):
        found = torch.zeros(batch, VOCABULARY)
        return found.scatter_add_(1, x, torch.ones_like(x, dtype=found.dtype))

    there, here = counts(wanted), counts(written)
    share = (copied & ~repeated).sum(-1) / (there > 0).sum(1).view(-1, 1, 1)
    return share, torch.minimum(there, here).sum(1) / wanted.shape[1]


class Scores:
    def __init__(self):
        self.tokens = labels(128, 64, below=VOCABULARY, stream=1)
        place = torch.arange(64)
        self.needle = ((place >= 20) & (place < 24)).long().expand(128, 64)
        errors = labels(128, 4, below=5, stream=2) == 0
        self.written = torch.where(errors, 0, self.tokens[:, 20:24])
        weights = pattern(128, 2, 8, 4, 64, stream=3) * 0.25 + 0.25
        looked = labels(128, 2, 8, 4, below=12, stream=4).unsqueeze(-1) + 20
        self.weights = torch.where(place == looked, 1.0, weights)

    def __call__(self, compiled):
        call = compiled(scores)

        def step():
            with torch.no_grad():
                call(self.weights, self.tokens, self.needle, self.written)

        return step

    def compared(self):
        return [float(x.sum()) for x in scores(self.weights, self.tokens, self.needle, self.written)]


SCORES = types.SimpleNamespace(make=Scores, compared=lambda: Scores().compared())
