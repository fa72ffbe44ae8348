"""The association of hopfield-layers."""

from torch import nn
from torch.nn import functional as F

from need import Need, training_bytes
from system import learned, on_tokens


class Hopfield(nn.Module):
    """The association of hopfield-layers with one update, which is attention."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.maps = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (map(norm(x)).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for norm, map in zip(self.norms, self.maps))
        return self.output(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


WORKLOADS = {
    "modern_hopfield_step": learned(
        lambda: on_tokens(Hopfield(64, 4), 32, 64, 64),
        Need(
            10, 2 * 3 * 2048 * (4 * 64 * 64 + 2 * 64 * 64) / 1e9,
            training_bytes(17_024, 2048 * 64 * 9),
            "arithmetic of the four maps and the scores; norms over 2,048 tokens")),
}
