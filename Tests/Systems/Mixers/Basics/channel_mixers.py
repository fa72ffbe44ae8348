"""Golden values and gradients of the channel mixers, by PyTorch in float64.

    python channel_mixers.py        writes channel-mixers.safetensors beside it
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
out = {}


def case(name, x, weights, function):
    """Outputs and gradients of sum(y g) for x and every weight."""
    leaves = {"x": x, **weights}
    for leaf in leaves.values():
        leaf.requires_grad_()
    y = function()
    g = torch.randn_like(y)
    (y * g).sum().backward()
    out[f"{name}.y"], out[f"{name}.g"] = y.detach(), g
    for key, leaf in leaves.items():
        out[f"{name}.{key}"], out[f"{name}.grad.{key}"] = leaf.detach(), leaf.grad


def random(*shape):
    return torch.randn(shape, dtype=torch.float64)


for name, activation in [("mlp-gelu", F.gelu), ("mlp-relu", F.relu)]:
    x, w = random(2, 5, 6), {
        "up.weight": random(12, 6), "up.bias": random(12), "down.weight": random(4, 12), "down.bias": random(4)}
    case(name, x, w, lambda: F.linear(activation(F.linear(x, w["up.weight"], w["up.bias"])),
                                      w["down.weight"], w["down.bias"]))
for name, gate in [("gated-silu", F.silu), ("gated-gelu", F.gelu), ("gated-sigmoid", torch.sigmoid)]:
    x, w = random(2, 5, 6), {
        "gate.weight": random(12, 6), "value.weight": random(12, 6), "down.weight": random(4, 12)}
    case(name, x, w, lambda: F.linear(gate(F.linear(x, w["gate.weight"])) * F.linear(x, w["value.weight"]),
                                      w["down.weight"]))
save_file(out, str(pathlib.Path(__file__).with_name("channel-mixers.safetensors")))
