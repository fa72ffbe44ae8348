"""PoolFormer, a MetaFormer whose tokens meet by pooling, as in poolformer."""

import torch
from torch import nn
from torch.nn import functional as F

from need import Need, training_bytes
from patterns import labels, pattern
from steps import training
from system import learned


class Scale(nn.Module):
    """A number for each channel."""

    def __init__(self, width, start):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), start))

    def forward(self, x):
        return x * self.weight.view(-1, 1, 1)


class Positions(nn.Module):
    def __init__(self, rows, columns, width):
        super().__init__()
        self.grid = rows, columns
        self.weight = nn.Parameter(torch.randn(rows * columns, width) * 0.02)

    def forward(self, x):
        return x + self.weight.T.unflatten(1, self.grid)


class PoolingBlock(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(1, width), nn.GroupNorm(1, width)
        self.up, self.down = nn.Conv2d(width, 4 * width, 1), nn.Conv2d(4 * width, width, 1)
        self.scale1, self.scale2 = Scale(width, scale), Scale(width, scale)

    def forward(self, x):
        y = self.norm1(x)
        pooled = F.avg_pool2d(y, 3, stride=1, padding=1, count_include_pad=False)
        x = x + self.scale1(pooled - y)
        return x + self.scale2(self.down(F.gelu(self.up(self.norm2(x)))))


class PoolFormer(nn.Module):
    def __init__(self, channels, widths, depths, classes, scale, grid=None):
        super().__init__()
        layers = [nn.Conv2d(channels, widths[0], 7, stride=4, padding=2)]
        if grid:
            layers.append(Positions(*grid, widths[0]))
        for before, width, depth in zip([None, *widths], widths, depths):
            if before:
                layers.append(nn.Conv2d(before, width, 3, stride=2, padding=1))
            layers += [PoolingBlock(width, scale) for _ in range(depth)]
        self.body = nn.Sequential(*layers, nn.GroupNorm(1, widths[-1]))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))


def images(side, channels, classes, batch, *shape, **options):
    """With channels first, and with channels last."""
    x = pattern(batch, side, side, channels, stream=1).permute(0, 3, 1, 2)
    targets = labels(batch, below=classes, stream=2)
    forms = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network = PoolFormer(channels, *shape, classes, **options).to(memory_format=layout)
        forms.append(training(network, x.contiguous(memory_format=layout), targets))
    return forms


def multiply_accumulates(widths, depths, sides):
    """Multiply-accumulates of an image through the stages behind the stem, and activations kept."""
    products = kept = 0
    for before, width, depth, side in zip([0, *widths], widths, depths, sides):
        products += side * side * (9 * before * width + depth * 8 * width * width)
        kept += side * side * width * (1 + depth * 13)
    return products, kept


S12 = multiply_accumulates([64, 128, 320, 512], [2, 2, 6, 2], [56, 28, 14, 7])
WORKLOADS = {
    "metaformer_step": learned(
        lambda: images(28, 1, 10, 10, [32], [4], scale=1.0, grid=(7, 7)),
        Need(
            20, 2 * 490 * (2 * 49 * 32 + 12 * 2 * 32 * 128) / 1e9,
            training_bytes(37_200, 490 * 32 * (1 + 4 * 13)),
            "the fixed cost of some 80 operations on 16,000 numbers, each way; all of it fits the caches")),
    "poolformer_s12_step": learned(
        lambda: images(224, 3, 1000, 1, [64, 128, 320, 512], [2, 2, 6, 2], scale=1e-5),
        Need(
            2, 2 * (2 * 3136 * 147 * 64 + 3 * (S12[0] + 512 * 1000)) / 1e9,
            training_bytes(11_915_176, S12[1]),
            "arithmetic of the channel networks, and Adam over 11.9 million weights for one image")),
}
