"""Hebbian learning of orthogonal projections, as in HLOP-SNN."""

import torch
from torch import nn

from need import Need, training_bytes
from patterns import labels, length, pattern
from steps import training
from system import System, loss_and_length


class SigmoidSpike(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(context, g):
        s = torch.sigmoid(4 * context.saved_tensors[0])
        return g * (4 * s * (1 - s))


class ProjectedLinear(torch.autograd.Function):
    """x wᵀ, whose weight learns outside of the space of earlier tasks."""

    @staticmethod
    def forward(context, x, weight, rows):
        context.save_for_backward(x, weight, rows)
        return x @ weight.T

    @staticmethod
    def backward(context, g):
        x, weight, rows = context.saved_tensors
        return (g @ weight if context.needs_input_grad[0] else None), g.T @ (x - (x @ rows.T) @ rows), None


class Subspace:
    """Lateral weights that find the principal space of what a layer receives, beside frozen rows."""

    def __init__(self, rows, frozen, rate):
        self.frozen, self.rows, self.rate = rows[:frozen], rows[frozen:].clone(), rate
        self.velocity = torch.zeros_like(self.rows)

    @torch.no_grad()
    def update(self, x):
        left = x - (x @ self.frozen.T) @ self.frozen
        for _ in range(5):
            y = x @ self.rows.T
            change = (y.T @ (left - y @ self.rows)).div_(len(x)).clamp_(-10, 10)
            self.velocity.mul_(0.9).add_(change, alpha=0.1)
            self.rows.add_(self.velocity, alpha=self.rate)


class SecondTask(nn.Module):
    """Two spiking layers of HLOP-SNN in their second task, taught through time."""

    def __init__(self, widths=(784, 200, 200), rows=((80, 70), (50, 18)), classes=10, steps=6):
        super().__init__()
        self.steps = steps
        self.trunk = nn.ModuleList(
            nn.Linear(*pair, bias=False) for pair in zip(widths, widths[1:]))
        self.head = nn.Linear(widths[-1], classes, bias=False)
        self.subspaces = [
            Subspace(pattern(sum(counts), width, stream=10 + place) * (3 / width) ** 0.5, counts[0], rate)
            for place, (counts, width, rate) in enumerate(zip(rows, widths, (0.001, 0.01)))]

    def forward(self, x):
        spikes = None
        for layer, subspace in zip(self.trunk, self.subspaces):
            entering = x if spikes is None else spikes.flatten(0, 1)
            subspace.update(entering.detach())
            current = ProjectedLinear.apply(entering, layer.weight, subspace.frozen)
            # The picture is the same current at every step.
            currents = [current] * self.steps if spikes is None else current.chunk(self.steps)
            potential, fired = 0.0, []
            for i in currents:
                potential = 0.5 * potential + i
                spike = SigmoidSpike.apply(potential - 1)
                potential = potential - spike.detach()
                fired.append(spike)
            spikes = torch.stack(fired)
        return self.head(spikes.mean(0))


def second_task():
    network = SecondTask()
    form = training(
        network, pattern(64, 784, stream=1) * 4 + 4, labels(64, below=10, stream=2))
    form.descent = 0.1
    return network, form


def compared_second_task():
    network, form = second_task()
    found = loss_and_length(form)
    return [*found, length([x for one in network.subspaces for x in (one.frozen, one.rows)])]


WORKLOADS = {
    "hlop_step": System(
        lambda: second_task()[1], compared_second_task,
        Need(
            10, 2 * (64 * 784 * (2 * 200 + 4 * 80 + 15 * 70)
                     + 384 * 200 * (3 * 200 + 4 * 50 + 15 * 18)) / 1e9,
            training_bytes(198_800, 384 * 200 * 6),
            "arithmetic of thin products: lateral weights learn in five rounds on every batch")),
}
