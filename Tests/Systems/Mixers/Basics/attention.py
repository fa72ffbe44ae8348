"""Writes attention.safetensors: torch.nn.MultiheadAttention with padding and across to a context, in float64.

    pip install torch==2.13.0 safetensors==0.8.0
    python attention.py

For each case weights, inputs, outputs and the gradients of sum(output cotangent), by our names. PyTorch gives
padded queries outputs of their own, which mean nothing; their cotangents are zeros and we store zeros for them.
"""

import pathlib

import torch
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
out = {}


def case(name, width, heads, x, context=None, missing=None, hidden=None):
    """`missing` [batch, keys] and `hidden` [queries, keys] or [batch heads, queries, keys] are True where a key is not seen."""
    layer = torch.nn.MultiheadAttention(width, heads, batch_first=True)
    with torch.no_grad():
        layer.in_proj_bias.normal_()
        layer.out_proj.bias.normal_()
    inputs = {"x": x} | ({} if context is None else {"context": context})
    for one in inputs.values():
        one.requires_grad_()
    seen = x if context is None else context
    y, _ = layer(x, seen, seen, key_padding_mask=missing, attn_mask=hidden, need_weights=False)
    cotangent = torch.randn_like(y)
    if missing is not None and context is None:
        cotangent[missing] = 0
        y = y.masked_fill(missing.unsqueeze(2), 0)
    (y * cotangent).sum().backward()
    out.update({f"{name}.y": y, f"{name}.cotangent": cotangent})
    for key, one in inputs.items():
        out.update({f"{name}.{key}": one, f"{name}.gradient.{key}": one.grad})
    for ours, theirs in [
        ("qkv.weight", layer.in_proj_weight), ("qkv.bias", layer.in_proj_bias),
        ("projection.weight", layer.out_proj.weight), ("projection.bias", layer.out_proj.bias),
    ]:
        out.update({f"{name}.weight.attention.{ours}": theirs, f"{name}.gradient.attention.{ours}": theirs.grad})


# Rows that begin or end with padding, and one with a hole.
there = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0, 1, 1, 1]])
out["padded.segments"] = there.int()
case("padded", 12, 3, torch.randn(3, 9, 12), missing=there == 0)

# Several sequences in a row see nothing of one another.
packed = torch.tensor([[1, 1, 1, 2, 2, 2, 2, 3, 3], [4, 4, 4, 4, 4, 4, 0, 2, 2]])
apart = packed.unsqueeze(1) != packed.unsqueeze(2)
out["packed.segments"] = packed.int()
case("packed", 8, 2, torch.randn(2, 9, 8), missing=packed == 0, hidden=apart.repeat_interleave(2, 0))

context = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 0, 1]])
out["across.contextMask"] = context.int()
case("across", 12, 3, torch.randn(2, 7, 12), torch.randn(2, 5, 12), missing=context == 0)
case("whole", 6, 1, torch.randn(2, 3, 6), torch.randn(2, 4, 6))

path = pathlib.Path(__file__).with_name("attention.safetensors")
save_file({key: value.detach().contiguous() for key, value in out.items()}, str(path))
