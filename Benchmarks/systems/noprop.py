"""NoProp in discrete time."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from need import Need, training_bytes
from patterns import labels, length, pattern
from steps import Training, fastest
from system import System


class DenoisingBlock(nn.Module):
    """Names the class from a picture and a noisy code of it."""

    def __init__(self, inputs=784, hidden=128, classes=10):
        super().__init__()
        self.input = nn.Linear(inputs, hidden)
        self.code, self.residual = nn.Linear(classes, hidden), nn.Linear(hidden, hidden)
        self.joint, self.output = nn.Linear(2 * hidden, hidden), nn.Linear(hidden, classes)

    def forward(self, x, z):
        code = torch.relu(self.code(z))
        code = code + torch.relu(self.residual(code))
        features = torch.cat([torch.relu(self.input(x)), code], 1)
        return self.output(torch.relu(self.joint(features)))


class AllBlocks(nn.Module):
    """The same blocks side by side, in batched products."""

    def __init__(self, blocks):
        super().__init__()
        for name, _ in blocks[0].named_children():
            layers = [getattr(block, name) for block in blocks]
            for part in ("weight", "bias"):
                stacked = torch.stack([getattr(one, part).detach() for one in layers])
                self.register_parameter(f"{name}_{part}", nn.Parameter(stacked))

    def layer(self, name, x):
        weight, bias = (getattr(self, f"{name}_{part}") for part in ("weight", "bias"))
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    def forward(self, x, z):
        """A picture [batch, inputs] and codes [blocks, batch, classes] to logits."""
        seen = F.linear(x, self.input_weight.flatten(0, 1), self.input_bias.flatten())
        seen = torch.relu(seen).unflatten(1, (len(z), -1)).transpose(0, 1)
        code = torch.relu(self.layer("code", z))
        code = code + torch.relu(self.layer("residual", code))
        return self.layer("output", torch.relu(self.layer("joint", torch.cat([seen, code], 2))))


class NoProp(nn.Module):
    def __init__(self, side_by_side, blocks=10, clip=0.001):
        super().__init__()
        self.blocks = nn.ModuleList(DenoisingBlock() for _ in range(blocks))
        if side_by_side:
            self.blocks = AllBlocks(self.blocks)
        self.head = nn.Linear(10, 10)
        share = torch.sin(math.pi / 2 * torch.arange(blocks + 1, dtype=torch.float64) / blocks) ** 2
        self.signal = (clip + (1 - 2 * clip) * share).float()
        ratio = self.signal / (1 - self.signal)
        self.worth = 0.05 * ratio.diff()

    def forward(self, x, labels):
        codes = F.one_hot(labels, 10).float()
        signal = self.signal.view(-1, 1, 1)
        noisy = signal.sqrt() * codes + (1 - signal).sqrt() * torch.randn(len(signal), *codes.shape)
        if isinstance(self.blocks, AllBlocks):
            logits = self.blocks(x, noisy[:-1])
        else:
            logits = torch.stack([block(x, z) for block, z in zip(self.blocks, noisy)])
        errors = (logits.softmax(2) - codes).square().sum(2).mean(1)
        first = self.signal[0]
        spread = (codes.square() * first - first - torch.log1p(-first)).sum(1).mean() * 0.5
        return F.cross_entropy(self.head(noisy[-1]), labels) + spread + (errors * self.worth).sum()


def denoising():
    """One block after the other, and all at once."""
    data = pattern(128, 784, stream=1) * 0.5 + 0.5, labels(128, below=10, stream=2)
    return [Training(list(network.parameters()), network, data)
            for network in (NoProp(side_by_side=False), NoProp(side_by_side=True))]


def compared_denoising():
    """All blocks at once, as ours are: every parameter has an axis of blocks, also in `pattern`."""
    form = denoising()[1]
    with torch.no_grad():
        for place, x in enumerate(form.parameters):
            values = pattern(*x.shape, stream=100 + place)
            x.copy_(values * 0.1 + 0.3 if x.ndim < 2 else values * math.prod(x.shape[1:]) ** -0.5)
    loss = form.loss(*form.data)
    return [loss.item(), length(torch.autograd.grad(loss, form.parameters))]


WORKLOADS = {
    "noprop_step": System(
        lambda: fastest(*denoising()), compared_denoising,
        Need(
            10, 2 * 10 * 128 * (2 * 784 * 128 + 3 * (10 + 128 + 256 + 10) * 128) / 1e9,
            training_bytes(1_530_000, 128 * 10 * 128 * 5),
            "arithmetic of ten blocks, and Adam over 1.5 million weights"),
        apart=0.1),
}
