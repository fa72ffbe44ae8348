"""Data and weights that both sides make alike, so that what they compute can be compared; see
Sources/bench/Patterns.swift."""

import math

import numpy as np
import torch


def numbers(shape, stream):
    """Numbers between -1 and 1 that look random; each `stream` has its own. NumPy, float32."""
    wave = np.sin(np.arange(math.prod(shape)) * 12.9898 + stream * 78.233) * 43758.5453
    return (2 * (wave - np.floor(wave)) - 1).astype(np.float32).reshape(shape)


def pattern(*shape, stream):
    return torch.from_numpy(numbers(shape, stream))


def labels(*shape, below, stream):
    """Numbers from 0 to below `below`."""
    return torch.floor((pattern(*shape, stream=stream) * 0.5 + 0.5) * (below * 0.9999)).long()


def fill(parameters):
    """Puts numbers of `pattern` in place of what parameters started with: matrices and kernels within
    1 / sqrt(inputs), all others around 0.3. Kernels have their channels last on our side."""
    with torch.no_grad():
        for place, x in enumerate(parameters):
            shape = (x.shape[0], *x.shape[2:], x.shape[1]) if x.ndim > 2 else tuple(x.shape)
            values = pattern(*shape, stream=100 + place)
            if x.ndim < 2:
                x.copy_(values * 0.1 + 0.3)
            else:
                values = values * math.prod(shape[1:]) ** -0.5
                x.copy_(values.movedim(-1, 1) if x.ndim > 2 else values)


def length(tensors):
    """The length of all together."""
    return math.sqrt(sum(x.double().square().sum().item() for x in tensors))
