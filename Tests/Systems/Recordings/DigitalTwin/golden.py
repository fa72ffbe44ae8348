"""Writes golden.safetensors: a digital twin with random weights by PyTorch in float64.

    pip install torch==2.13.0 safetensors==0.8.0
    python golden.py

Rates, penalties, the Poisson loss of counts and the gradients of loss + 0.1 sparsity + 0.01 roughness.
"""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(0)
out = {}


def random(*shape, scale=1.0):
    return torch.randn(shape, dtype=torch.float64) * scale


def case(name, rows, columns, inputs, channels, kernels, cells, rate):
    x = random(4, rows, columns, inputs)
    counts = torch.randint(0, 6, (4, cells)).double()
    weights, statistics, before = {}, {}, inputs
    for layer, (width, kernel) in enumerate(zip(channels, kernels)):
        path = f"stages.{layer}"
        weights[f"{path}.convolution.weight"] = random(width, kernel, kernel, before, scale=0.3)
        weights[f"{path}.norm.weight"], weights[f"{path}.norm.bias"] = random(width), random(width)
        statistics[f"{path}.norm.runningMean"] = random(width)
        statistics[f"{path}.norm.runningVariance"] = random(width) ** 2 + 0.5
        before = width
    weights["positions"] = random(cells, rows * columns, scale=0.3)
    weights["features"], weights["bias"] = random(cells, before, scale=0.5), random(cells)
    for leaf in weights.values():
        leaf.requires_grad_()
    x.requires_grad_()
    h = x.permute(0, 3, 1, 2)
    for layer, kernel in enumerate(kernels):
        path = f"stages.{layer}"
        h = F.conv2d(h, weights[f"{path}.convolution.weight"].permute(0, 3, 1, 2), padding=kernel // 2)
        h = F.batch_norm(h, statistics[f"{path}.norm.runningMean"], statistics[f"{path}.norm.runningVariance"],
                         weights[f"{path}.norm.weight"], weights[f"{path}.norm.bias"])
        h = F.elu(h) if layer + 1 < len(kernels) else h
    drive = torch.einsum("bcp,np,nc->bn", h.flatten(2), weights["positions"], weights["features"]) + weights["bias"]
    rates = rate(drive)
    loss = F.poisson_nll_loss(rates, counts, log_input=False)
    sparsity = (weights["positions"].abs().sum(1) * weights["features"].abs().sum(1)).mean()
    filters = weights["stages.0.convolution.weight"].permute(0, 3, 1, 2).flatten(0, 1)[:, None]
    laplace = torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.float64)[None, None]
    roughness = F.conv2d(filters, laplace, padding=1).square().sum()
    (loss + 0.1 * sparsity + 0.01 * roughness).backward()
    tensors = {"x": x, "counts": counts, "rates": rates, "loss": loss, "sparsity": sparsity,
               "roughness": roughness, "grad.x": x.grad}
    tensors |= {f"weight.{key}": leaf for key, leaf in (weights | statistics).items()}
    tensors |= {f"grad.{key}": leaf.grad for key, leaf in weights.items()}
    for key, tensor in tensors.items():
        out[f"{name}.{key}"] = tensor.detach().clone().contiguous()


case("one", 6, 5, 1, [3], [5], 7, lambda x: F.elu(x) + 1)
case("two", 5, 7, 2, [4, 3], [3, 5], 5, F.softplus)
save_file(out, str(pathlib.Path(__file__).with_name("golden.safetensors")))
