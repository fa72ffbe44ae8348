"""Writes golden.safetensors: the Fourier neural operator in its published form, by torch.fft in float64.

    pip install torch==2.13.0 safetensors==0.8.0
    python golden.py

Channels first, as PyTorch has them; files hold our shapes: channels last, spectral weights [2 modes, modes,
inputs, outputs, 2]. For each case weights, input, output and the gradients of sum(output cotangent).
"""

import pathlib

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file


class SpectralConv2d(nn.Module):
    def __init__(self, channels, modes):
        super().__init__()
        self.modes = modes  # along rows and columns
        for name in ("positive", "negative"):
            weight = torch.randn(channels, channels, *modes, dtype=torch.cdouble) / channels
            self.register_parameter(name, nn.Parameter(weight))

    def forward(self, x):
        (m, n), (height, width) = self.modes, x.shape[-2:]
        waves = torch.fft.rfft2(x)
        out = torch.zeros(x.shape[0], x.shape[1], height, width // 2 + 1, dtype=torch.cdouble)
        out[:, :, :m, :n] = torch.einsum("bixy,ioxy->boxy", waves[:, :, :m, :n], self.positive)
        out[:, :, -m:, :n] = torch.einsum("bixy,ioxy->boxy", waves[:, :, -m:, :n], self.negative)
        return torch.fft.irfft2(out, s=(height, width))


class FNO(nn.Module):
    def __init__(self, inputs, outputs, channels, layers, modes, padding, hidden):
        super().__init__()
        self.padding = padding
        self.lift = nn.Linear(inputs + 2, channels)
        self.spectral = nn.ModuleList(SpectralConv2d(channels, modes) for _ in range(layers))
        self.pointwise = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(layers))
        self.hidden = nn.Linear(channels, hidden)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, x):
        batch, rows, columns, _ = x.shape
        down = torch.linspace(0, 1, rows).reshape(1, rows, 1, 1).expand(batch, rows, columns, 1)
        across = torch.linspace(0, 1, columns).reshape(1, 1, columns, 1).expand(batch, rows, columns, 1)
        u = self.lift(torch.cat([x, down, across], -1)).permute(0, 3, 1, 2)
        u = F.pad(u, [0, self.padding, 0, self.padding])
        for place, (spectral, pointwise) in enumerate(zip(self.spectral, self.pointwise)):
            u = spectral(u) + pointwise(u)
            if place < len(self.spectral) - 1:
                u = F.gelu(u)
        u = u[..., :rows, :columns].permute(0, 2, 3, 1)
        return self.output(F.gelu(self.hidden(u)))


def spectral_weight(layer, part):
    """Both blocks of modes as [2 modes, modes, inputs, outputs, 2]."""
    blocks = [part(block).permute(2, 3, 0, 1) for block in (layer.positive, layer.negative)]
    return torch.view_as_real(torch.cat(blocks).resolve_conj()).contiguous()


torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
out = {}
for name, shape, settings in [
    ("padded", (2, 7, 6, 2), dict(outputs=3, channels=4, layers=2, modes=(3, 3), padding=3, hidden=5)),
    ("ring", (2, 8, 9, 1), dict(outputs=1, channels=3, layers=3, modes=(4, 4), padding=0, hidden=4)),
    ("uneven", (2, 10, 6, 2), dict(outputs=1, channels=3, layers=2, modes=(4, 2), padding=0, hidden=4)),
]:
    model = FNO(inputs=shape[-1], **settings)
    x = torch.randn(shape, requires_grad=True)
    y = model(x)
    cotangent = torch.randn_like(y)
    (y * cotangent).sum().backward()
    out |= {f"{name}.x": x, f"{name}.y": y, f"{name}.cotangent": cotangent, f"{name}.gradient.x": x.grad}
    for kind, part in [("weight", lambda p: p), ("gradient", lambda p: p.grad)]:
        for key, value in model.named_parameters():
            if not key.startswith("spectral"):
                path = key.split(".")
                if path[0] == "pointwise":
                    path = ["layers", path[1], "pointwise", path[2]]
                value = part(value)
                out[f"{name}.{kind}.{'.'.join(path)}"] = value[:, :, 0, 0] if value.ndim == 4 else value
        for place, layer in enumerate(model.spectral):
            out[f"{name}.{kind}.layers.{place}.spectral.weight"] = spectral_weight(layer, part)
path = pathlib.Path(__file__).with_name("golden.safetensors")
save_file({key: value.detach().contiguous() for key, value in out.items()}, str(path))
