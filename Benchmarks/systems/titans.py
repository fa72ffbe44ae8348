"""Titans, as in titans-pytorch."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from need import Need, training_bytes
from system import learned, on_tokens


def gelu_slope(x):
    return 0.5 * (1 + torch.erf(x * 0.5**0.5)) + x * torch.exp(-0.5 * x * x) * (2 * math.pi) ** -0.5


class Titans(nn.Module):
    """A memory of two layers as in titans-pytorch: the gradient of every token at the weights of its
    chunk's start, then momentum and forgetting token by token."""

    def __init__(self, width, chunk=8, largest_surprise=10.0):
        super().__init__()
        self.chunk, self.bound = chunk, largest_surprise
        self.projection = nn.Linear(width, 3 * width, bias=False)
        self.rates = nn.Linear(width, 3)
        self.convolution = nn.Conv1d(3 * width, 3 * width, 4, groups=3 * width, bias=False)
        self.start = nn.ParameterList(torch.randn(width, width) * width**-0.5 for _ in range(2))

    def gradients(self, keys, values, weights):
        """Of each token by each matrix, [batch, tokens, inputs, outputs]."""
        inner = keys @ weights[0]
        active = F.gelu(inner)
        error = 2 * (active @ weights[1] - values)
        found = []
        for entering, error in ((keys, (error @ weights[1].mT) * gelu_slope(inner)), (active, error)):
            squares = entering.square().sum(2, keepdim=True) * error.square().sum(2, keepdim=True)
            error = error * torch.rsqrt(squares / self.bound**2 + 1)
            found.append(entering.unsqueeze(3) * error.unsqueeze(2))
        return found

    def forward(self, x):
        mixed = F.silu(self.convolution(F.pad(self.projection(x).transpose(1, 2), (3, 0))))
        q, k, v = mixed.transpose(1, 2).chunk(3, 2)
        q, k = (y * torch.rsqrt(y.square().sum(-1, keepdim=True) + 1e-12) for y in (q, k))
        rate, momentum, fading = self.rates(x)[..., None, None].unbind(2)
        rate = torch.sigmoid(rate) / (32 * self.chunk)
        momentum, kept = torch.sigmoid(momentum), torch.sigmoid(-fading)
        weights = [w.expand(x.shape[0], -1, -1) for w in self.start]
        surprise = [torch.zeros_like(w) for w in weights]
        answers = []
        for start in range(0, x.shape[1], self.chunk):
            span = slice(start, start + self.chunk)
            arriving = self.gradients(k[:, span], v[:, span], weights)
            courses = []
            for layer in range(2):
                downhill = (-rate[:, span] * arriving[layer]).unbind(1)
                course = []
                for change, m, share in zip(downhill, momentum[:, span].unbind(1), kept[:, span].unbind(1)):
                    surprise[layer] = torch.addcmul(change, m, surprise[layer])
                    weights[layer] = torch.addcmul(surprise[layer], share, weights[layer])
                    course.append(weights[layer])
                courses.append(torch.stack(course, 1))
            answers.append((F.gelu(q[:, span].unsqueeze(2) @ courses[0]) @ courses[1]).squeeze(2))
        return torch.cat(answers, 1)


WORKLOADS = {
    "titans_step": learned(
        lambda: on_tokens(Titans(32), 16, 128, 32),
        Need(
            5, 2 * 3 * 2048 * (32 * 96 + 11 * 32 * 32 + 8 * 8 * 32) / 1e9,
            training_bytes(5_600, 2048 * 32 * 40),
            "the fixed cost of 16 chunks that follow each other, some 60 operations each, each way"),
        compiles=False),
}
