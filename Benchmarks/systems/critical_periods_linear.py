"""Two paths of a deep linear network."""

import torch
from torch import nn

from need import Need
from patterns import pattern
from steps import Training
from system import learned


def linear_paths():
    """Two paths of three matrices, one after the other, and side by side."""
    shapes = (32, 8), (32, 32), (15, 32)
    data = torch.eye(8), pattern(8, 15, stream=1)

    def separate(items, wanted, parameters):
        product = sum(c @ (b @ a) for a, b, c in (parameters[:3], parameters[3:]))
        return (items @ product.T - wanted).square().sum() * 0.5

    def together(items, wanted, parameters):
        a, b, c = parameters
        return (items @ (c @ (b @ a)).sum(0).T - wanted).square().sum() * 0.5

    forms = []
    for loss, sizes in ((separate, shapes * 2), (together, [(2, *shape) for shape in shapes])):
        parameters = [nn.Parameter(torch.randn(size) * 0.1) for size in sizes]
        forms.append(Training(
            parameters, lambda x, y, loss=loss, parameters=parameters: loss(x, y, parameters), data, 0.01))
    return forms


WORKLOADS = {
    "critical_periods_linear_step": learned(
        linear_paths,
        Need(
            40, 2 * 3 * 2 * 32 * (32 * 8 + 15 * 8) / 1e9, 0,
            "the fixed cost of some ten small operations, each way")),
}
