"""Writes golden.safetensors: timm's poolformer with random weights, under our names and in our shapes.

    pip install torch==2.13.0 timm==1.0.31 safetensors==0.8.0
    python golden.py

`small` is a poolformer of four narrow stages: weights, output, and the gradients of sum(output cotangent).
`s12` is poolformer_s12 whole; its weights and image are not stored but made by `numbers`, which the test
makes again. Everything is computed in float64.
"""

import importlib.machinery
import pathlib
import sys
import types

import numpy as np
import torch
from safetensors.torch import save_file


class Anything(type):
    """A class with every attribute."""

    def __getattr__(cls, name):
        return f"{cls.__name__}.{name}"


class Absent(types.ModuleType):
    """timm asks torchvision for things that these networks do not use."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name, (), {})


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Absent(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Finder())

import timm  # noqa: E402
from timm.layers import GroupNorm1  # noqa: E402
from timm.models.metaformer import MetaFormer  # noqa: E402


def numbers(stream, count):
    """Numbers from -1 to 1 that look random: the fraction of a large multiple of a sine."""
    x = np.sin(12.9898 * (np.arange(count, dtype=np.float64) + 1) + 78.233 * stream) * 1000
    return torch.from_numpy(2 * (x - np.floor(x)) - 1)


def ours(name):
    name = name.replace("stem.conv", "stem").replace("downsample.conv", "downsampling")
    name = name.replace("token_mixer", "mixer").replace("mlp.fc1", "mlp.up").replace("mlp.fc2", "mlp.down")
    for which in "12":
        name = name.replace(f"layer_scale{which}.scale", f"scale{which}")
    return name.replace("head.norm", "norm").replace("head.fc", "head")


def in_our_shape(name, x):
    """Convolutions have their inputs last; those of side 1 are linear maps."""
    if x.ndim == 4:
        x = x.permute(0, 2, 3, 1)
        if ".mlp." in name:
            x = x.reshape(x.shape[0], -1)
    return x.detach().contiguous()


def in_their_shape(name, x, like):
    if like.ndim == 4:
        o, i, h, w = like.shape
        return x.reshape(o, h, w, i).permute(0, 3, 1, 2)
    return x.reshape(like.shape)


def fill(model):
    """Weights by `numbers`, one stream for each parameter in the order of our names."""
    named = {ours(name): value for name, value in model.named_parameters()}
    for stream, name in enumerate(sorted(named)):
        value = named[name]
        x = numbers(stream, value.numel())
        if value.ndim > 1:
            x = x * (3 / (value.numel() / value.shape[0])) ** 0.5
        elif name.endswith("bias"):
            x = 0.1 * x
        elif "scale" in name:
            x = 0.2 + 0.1 * x
        else:
            x = 1 + 0.1 * x
        with torch.no_grad():
            value.copy_(in_their_shape(name, x, value))
    return named


torch.set_default_dtype(torch.float64)
out = {}

small = MetaFormer(
    num_classes=5, depths=[1, 1, 2, 1], dims=[6, 8, 10, 12], downsample_norm=None, mlp_act=torch.nn.GELU,
    mlp_bias=True, norm_layers=GroupNorm1, layer_scale_init_values=1e-5, res_scale_init_values=None,
    use_mlp_head=False).eval()
named = fill(small)
image = numbers(1000, 2 * 37 * 30 * 3).reshape(2, 37, 30, 3)
x = image.permute(0, 3, 1, 2).clone().requires_grad_()
y = small(x)
cotangent = numbers(1001, y.numel()).reshape(y.shape)
(y * cotangent).sum().backward()
out["small.x"], out["small.y"], out["small.cotangent"] = image, y.detach(), cotangent
out["small.gradient.x"] = x.grad.permute(0, 2, 3, 1).contiguous()
for name, value in named.items():
    out[f"small.weight.{name}"] = in_our_shape(name, value)
    out[f"small.gradient.{name}"] = in_our_shape(name, value.grad)

s12 = timm.create_model("poolformer_s12").eval()
fill(s12)
image = numbers(1000, 96 * 96 * 3).reshape(1, 96, 96, 3)
with torch.no_grad():
    out["s12.y"] = s12(image.permute(0, 3, 1, 2))

path = pathlib.Path(__file__).with_suffix(".safetensors")
save_file(out, path, metadata={"versions": f"timm {timm.__version__}, torch {torch.__version__}"})
print(path.stat().st_size, out["s12.y"].std(), sum(p.numel() for p in s12.parameters()))
