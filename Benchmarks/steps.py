"""What a step of the PyTorch side is made of: forward, backward, update."""

import dataclasses
import time

import torch
from torch import nn
from torch.nn import functional as F

MODES = {"eager": lambda function: function, "compile": torch.compile}


def forward_only(function, *inputs):
    def make(compiled):
        call = compiled(function)

        def step():
            with torch.no_grad():
                call(*inputs)

        return step

    return make


def forward_backward(module, inputs, cotangent):
    """Gradients of the input, or of all inputs in a tuple, and of the module's parameters."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    for x in inputs:
        x.requires_grad_()

    def make(compiled):
        call = compiled(module)

        def step():
            for x in inputs:
                x.grad = None
            module.zero_grad(set_to_none=True)
            call(*inputs).backward(cotangent)

        return step

    return make


def fastest(*makers):
    """The fastest of several ways to compute the same. Only the first is compiled: the others are
    loops over all time steps, which the compiler would unroll, or other forms of the same."""

    def make(compiled):
        chosen = makers if compiled is MODES["eager"] else makers[:1]
        times = {}
        for step in [maker(compiled) for maker in chosen]:
            step()
            start = time.perf_counter()
            step()
            times[step] = time.perf_counter() - start
        return min(times, key=times.get)

    return make


def cross_entropy(logits, labels):
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten())


@dataclasses.dataclass
class Training:
    """Something that learns: `loss` of `data` by `parameters`, in the order in which they are filled for
    a comparison."""

    parameters: list
    loss: object
    data: tuple
    descent: float = 0.0  # the rate of plain descent; 0 for Adam

    def __call__(self, compiled):
        if self.descent:
            optimiser = torch.optim.SGD(self.parameters, lr=self.descent, fused=True)
        else:
            optimiser = torch.optim.Adam(self.parameters, lr=1e-3, fused=True)
        call = compiled(self.loss)

        def step():
            optimiser.zero_grad(set_to_none=True)
            call(*self.data).backward()
            optimiser.step()

        return step


def training(network, x, targets, criterion=cross_entropy):
    """The loss of the network's output, its gradients, and an Adam update."""
    return Training(
        list(network.parameters()), lambda x, targets: criterion(network(x), targets), (x, targets))


class Function(nn.Module):
    """A function without parameters, as forward_backward wants it."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)
