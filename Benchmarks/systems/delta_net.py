"""DeltaNet, as flash-linear-attention has it, with the delta rule in chunks."""

import torch
from torch import nn
from torch.nn import functional as F

from need import Need, training_bytes
from recurrences import delta_rule_in_chunks
from system import learned, on_tokens


class DeltaNet(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.map = nn.Linear(width, 3 * width, bias=False)
        self.convolution = nn.Conv1d(3 * width, 3 * width, 4, groups=3 * width, bias=False)
        self.beta = nn.Linear(width, heads, bias=False)
        self.norm = nn.RMSNorm(width // heads, eps=1e-5)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x):
        mixed = F.silu(self.convolution(F.pad(self.map(x).transpose(1, 2), (3, 0))))
        q, k, v = mixed.unflatten(1, (3, self.heads, -1)).transpose(3, 4).unbind(1)
        q, k = (y * torch.rsqrt(y.square().sum(-1, keepdim=True) + 1e-6) for y in (q, k))
        y = delta_rule_in_chunks(q, k, v, torch.sigmoid(self.beta(x)).transpose(1, 2))
        return self.output(self.norm(y.transpose(1, 2)).flatten(2))


WORKLOADS = {
    "delta_net_step": learned(
        lambda: on_tokens(DeltaNet(256, 4), 1, 2048, 256),
        Need(
            5, 2 * 2048 * (3 * (256 * 768 + 256 * 4 + 256 * 256) + 4 * (15_360 + 34_816)) / 1e9,
            training_bytes(266_304, 2048 * 256 * 16),
            "arithmetic: the maps of the tokens, and products of 16 and 64 rows in chunks that follow "
            "each other")),
}
