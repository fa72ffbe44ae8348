"""Golden files: an operation's inputs, exact outputs and exact gradients, as PyTorch computes them.

A case is evaluated in float64 on inputs that are float32 numbers; results are rounded to float32.
README.md beside this file describes what the files hold. Needs torch, numpy and scipy.
"""

import json
import platform
import struct
import zlib

import numpy as np
import torch

STORED = {torch.float32: "F32", torch.int32: "I32", torch.bool: "BOOL"}

# The cases of every operation, filled by the `operation` decorator when the modules in cases/ load.
OPERATIONS = {}


def operation(name):
    """Registers a function that adds the cases of the operation `name` to a `Golden`."""

    def register(describe):
        if name in OPERATIONS:
            raise ValueError(f"operation {name} is described twice")
        OPERATIONS[name] = describe
        return describe

    return register


class Golden:
    """The cases of one operation, and the seeded source of their numbers."""

    def __init__(self, name):
        self.name = name
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.tensors = {}
        self.cases = []

    def normal(self, *shape, scale=1.0):
        return self._float32(self.random.standard_normal(shape) * scale)

    def uniform(self, low, high, *shape):
        return self._float32(self.random.uniform(low, high, shape))

    def distinct(self, *shape):
        """Numbers of both signs that are all different and at least 1/32 apart: no ties."""
        count = int(np.prod(shape))
        ranks = self.random.permutation(count).astype(np.float32) - count // 2
        return self._float32(ranks / 32 + 1 / 64).reshape(shape)

    def integers(self, low, high, *shape):
        """Integers from low up to, not including, high."""
        return torch.from_numpy(np.asarray(self.random.integers(low, high, shape), dtype=np.int32))

    def booleans(self, *shape, chance=0.5):
        return torch.from_numpy(np.asarray(self.random.random(shape) < chance))

    def case(self, name, function, inputs, arguments=None, layouts=None, gradients=True):
        """Adds a case: `function` is given the inputs by position, in float64.

        `layouts` maps an input's name to how a test should lay it out in memory. An input
        `expanded:AXIS` may be given with size 1 there as (tensor, size) and is repeated here.
        """
        layouts = dict(layouts or {})
        prepared = {}
        for key, value in inputs.items():
            layout = layouts.setdefault(key, "contiguous")
            kind, _, axis = layout.partition(":")
            if kind == "expanded":
                value, size = value
                value = value.repeat_interleave(size, int(axis))
            assert kind in ("contiguous", "sliced", "expanded") or (
                kind == "transposed" and value.dim() >= 2), (self.name, name, key, layout)
            assert kind != "sliced" or value.dim() >= 1, (self.name, name, key, layout)
            assert value.dtype in STORED, (self.name, name, key)
            prepared[key] = value
            self._store(f"{name}.input.{key}", value)

        leaves = {}
        for key, value in prepared.items():
            if value.dtype == torch.float32:
                leaves[key] = value.double().requires_grad_(gradients)
            else:
                leaves[key] = value.long() if value.dtype == torch.int32 else value
        output = function(*leaves.values())
        self._store(f"{name}.output", output.detach())
        gradients = gradients and output.is_floating_point()
        if gradients:
            cotangent = self.normal(*output.shape)
            self._store(f"{name}.cotangent", cotangent)
            loss = (output * cotangent.double()).sum()
            floats = {key: leaf for key, leaf in leaves.items() if leaf.is_floating_point()}
            found = torch.autograd.grad(loss, list(floats.values()), allow_unused=True)
            for (key, leaf), gradient in zip(floats.items(), found):
                gradient = torch.zeros_like(leaf) if gradient is None else gradient
                assert torch.isfinite(gradient).all(), (self.name, name, key)
                self._store(f"{name}.gradient.{key}", gradient)
        self.cases.append({
            "name": name, "arguments": arguments or {}, "layouts": layouts,
            "gradients": bool(gradients)})

    @staticmethod
    def _float32(values):
        return torch.from_numpy(np.asarray(values, dtype=np.float32))

    def _store(self, name, tensor):
        if tensor.dtype == torch.float64:
            tensor = tensor.float()
        elif tensor.dtype == torch.int64:
            tensor = tensor.int()
        assert name not in self.tensors, (self.name, name)
        self.tensors[name] = tensor.contiguous()

    def write(self, path):
        names = [case["name"] for case in self.cases]
        assert len(set(names)) == len(names) >= 6, (self.name, names)
        write_safetensors(path, self.tensors, {"cases": json.dumps(self.cases)})


def versions():
    return f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"


def write_safetensors(path, tensors, metadata):
    """Writes a safetensors file whose bytes depend on nothing but its arguments.

    (The safetensors package orders metadata keys differently in every run.)
    """
    header = {"__metadata__": {**metadata, "versions": versions()}}
    # Wider types first, so that every tensor is aligned to its element size.
    ordered = sorted(tensors.items(), key=lambda entry: -entry[1].element_size())
    pieces, offset = [], 0
    for name, tensor in ordered:
        pieces.append(tensor.numpy().tobytes())
        end = offset + len(pieces[-1])
        header[name] = {
            "dtype": STORED[tensor.dtype], "shape": list(tensor.shape),
            "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(pieces)
