"""A workload of a published system, as the files in systems/ state them."""

import dataclasses

import torch
from torch.nn import functional as F

from need import Need
from patterns import fill, length, pattern
from steps import fastest, training


@dataclasses.dataclass
class System:
    make: object  # what makes a step (see steps.py)
    compared: object  # gives the numbers that both sides must find
    need: Need
    # How far the sides may be apart in what they compute, as a share; more where they draw noise.
    apart: float = 1e-3
    # Not a loop over many steps in Python, which the compiler unrolls for many minutes, nor NumPy.
    compiles: bool = True


def learned(forms, need, **options):
    """A training step. What `forms` gives are ways to compute the same; the first is compared, by loss and
    length of the gradient."""
    return System(
        lambda: fastest(*forms()), lambda: loss_and_length(forms()[0]), need, **options)


def loss_and_length(form):
    fill(form.parameters)
    loss = form.loss(*form.data)
    return [loss.item(), length(torch.autograd.grad(loss, form.parameters))]


def on_tokens(network, batch, tokens, width):
    """A layer on tokens and the squared distance of its result from a target."""
    shape = batch, tokens, width
    return [training(network, pattern(*shape, stream=1), pattern(*shape, stream=2), F.mse_loss)]
