"""Writes derivatives.safetensors: products with Jacobians and Hessians by torch.func.

    pip install torch==2.13.0 numpy==2.4.6      (the CPU build of torch will do)
    python derivatives.py

Everything is computed in float64 from float32 numbers and rounded once; a second run writes the same
bytes.
"""

import pathlib

import torch
from torch import func
from torch.nn import functional as F

from golden import write_safetensors
from networks import Numbers, stored

FILE = pathlib.Path(__file__).parent / "derivatives.safetensors"


def values(x, w, b):
    """Two results of three inputs, by operations with kernels of their own."""
    y = F.gelu(F.linear(x, w, b))
    return F.layer_norm(y, y.shape[-1:]), torch.softmax(y, -1) @ w


def loss(x, w, b):
    a, c = values(x, w, b)
    return (a ** 2 * torch.sigmoid(a)).mean() + torch.logsumexp(c, -1).sum()


def main():
    numbers = Numbers(31)
    shapes = {"x": (3, 4), "w": (5, 4), "b": (5,)}
    inputs = {key: numbers.normal(*shape) for key, shape in shapes.items()}
    along = {key: numbers.normal(*shape) for key, shape in shapes.items()}
    results, tangents = func.jvp(values, tuple(inputs.values()), tuple(along.values()))
    _, pullback = func.vjp(values, *inputs.values())
    cotangents = [numbers.normal(*result.shape) for result in results]
    products = func.jvp(
        func.grad(loss, argnums=(0, 1, 2)), tuple(inputs.values()), tuple(along.values()))[1]
    tensors = dict(inputs) | {f"along.{key}": value for key, value in along.items()}
    for i in range(2):
        tensors |= {f"value.{i}": results[i], f"tangent.{i}": tangents[i], f"cotangent.{i}": cotangents[i]}
    tensors |= {f"pulled.{key}": g for key, g in zip(shapes, pullback(tuple(cotangents)))}
    tensors |= {f"hessian.{key}": g for key, g in zip(shapes, products)}
    tensors["loss"] = loss(*inputs.values())
    # The eigenvalues of the whole Hessian, which has 37 rows.
    flat = torch.cat([value.reshape(-1) for value in inputs.values()])
    sizes = [value.numel() for value in inputs.values()]
    whole = func.hessian(lambda v: loss(
        *(part.reshape(shape) for part, shape in zip(v.split(sizes), shapes.values()))))(flat)
    eigenvalues = torch.linalg.eigvalsh(whole)
    tensors["largest"] = eigenvalues[eigenvalues.abs().argmax()].reshape(1)
    write_safetensors(FILE, stored(tensors), {})


if __name__ == "__main__":
    main()
