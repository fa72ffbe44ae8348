"""Ascent of five stimuli through a twin of 120 cells."""

import torch
from torch import nn
from torch.nn import functional as F

from need import Need
from patterns import fill, pattern
from system import System


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


WORKLOADS = {
    "mds_clustering_ascent": System(
        Ascent, lambda: Ascent().compared(),
        Need(
            5, 2 * 50 * 2 * 5 * 617_472 / 1e9, 0,
            "50 steps that follow each other, of some 20 operations on five images, each way; all of it fits "
            "the caches")),
}
