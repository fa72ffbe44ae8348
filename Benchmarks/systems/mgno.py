"""Multigrid neural operator: V-cycles of convolutions."""

import torch
from torch import nn
from torch.nn import functional as F

from need import Need, training_bytes
from patterns import pattern
from steps import training
from system import learned


class Prolongation(nn.Module):
    """A transposed convolution whose kernel has its outputs first, as on the other side."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width, 4, 4) * (16 * width) ** -0.5)

    def forward(self, u):
        return F.conv_transpose2d(u, self.weight.transpose(0, 1), stride=2, padding=1)


def convolution(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


class MultigridLevel(nn.Module):
    """The way down to it, then sweeps u + S (f - A u)."""

    def __init__(self, inputs, width, sweeps, is_finest):
        super().__init__()
        if not is_finest:
            self.restriction = convolution(inputs, inputs, 2)
            self.projection = convolution(width, width, 2)
            self.prolongation = Prolongation(width)
        self.sweeps = nn.ModuleList()
        for sweep in range(sweeps):
            pair = nn.Module()
            pair.system = None if is_finest and sweep == 0 else convolution(width, inputs)
            pair.smoother = convolution(inputs, width)
            self.sweeps.append(pair)

    def forward(self, u, f):
        if u is not None:
            u, f = self.projection(u), self.restriction(f)
        for sweep in self.sweeps:
            u = sweep.smoother(f) if u is None else u + sweep.smoother(f - sweep.system(u))
        return u, f


class MultigridBlock(nn.Module):
    """GELU of a V-cycle and of a linear map of the channels of a point."""

    def __init__(self, inputs, width, levels):
        super().__init__()
        self.levels = nn.ModuleList(
            MultigridLevel(inputs, width, 2 if level == levels - 1 else 1, level == 0)
            for level in range(levels))
        self.pointwise = nn.Conv2d(inputs, width, 1)

    def forward(self, x):
        u, f, reached = None, x, []
        for level in self.levels:
            u, f = level(u, f)
            reached.append(u)
        for place in range(len(reached) - 1, 0, -1):
            u = reached[place - 1] + self.levels[place].prolongation(u)
        return F.gelu(u + self.pointwise(x))


class MultigridOperator(nn.Sequential):
    def __init__(self, layers=3, width=16, levels=4):
        super().__init__(
            *[MultigridBlock(1 if layer == 0 else width, width, levels) for layer in range(layers)],
            nn.Conv2d(width, 1, 1, bias=False))


def flows():
    """With channels first, and with channels last."""
    x, target = (pattern(8, 32, 32, 1, stream=stream).permute(0, 3, 1, 2) for stream in (1, 2))
    return [
        training(MultigridOperator().to(memory_format=layout), x.contiguous(memory_format=layout),
                 target, F.mse_loss)
        for layout in (torch.contiguous_format, torch.channels_last)]


WORKLOADS = {
    "mgno_step": learned(
        flows,
        Need(
            10, 2 * 3 * 8 * 16_771_024 / 1e9, training_bytes(114_827, 8 * 267_696),
            "54 convolutions of 16 channels on grids of 32 x 32 to 4 x 4, too thin to fill the multipliers, "
            "each way; the fixed cost of each on the coarse ones")),
}
