"""Two halves reach with an arm of six muscles."""

import torch
from torch import nn

from arm import ENDS, LEAST, OPTIMAL, STEPS, arm_step, forces, hand, muscles
from need import Need
from patterns import fill, length, pattern
from system import System


class TwoHalves(nn.Module):
    def __init__(self, senses=16, units=5, muscles=6):
        super().__init__()
        self.left, self.right = (
            nn.ModuleList([nn.Linear(senses, units), nn.Linear(units, units)]) for _ in range(2))
        self.join = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.output = nn.Linear(units, muscles)

    def forward(self, x):
        left, right = torch.tanh(self.left[0](x)), torch.tanh(self.right[0](x))
        left, right = left + self.callosum(right), right + self.callosum(left)
        left, right = torch.tanh(self.left[1](left)), torch.tanh(self.right[1](right))
        return torch.sigmoid(self.output(left * self.join[0] + right * self.join[1]))

    def callosum(self, x):
        pooled = nn.functional.max_pool1d(x, 2)
        return nn.functional.pad(pooled, (x.shape[1] - pooled.shape[1], 0))


class Reaching:
    """Two halves reach with an arm; the left one learns by one loss, the right one by another, and what
    both share by half of each."""

    def __init__(self):
        self.network = TwoHalves()
        left, right = list(self.network.left.parameters()), list(self.network.right.parameters())
        shared = [self.network.join, *self.network.output.parameters()]
        self.parameters, self.by_a, self.by_b = left + right + shared, left + shared, right + shared
        self.half = len(left)

        def posture(stream):
            return (pattern(64, 2, stream=stream) * 0.5 + 0.5) * ENDS

        self.start, self.target, self.load = posture(1), hand(posture(2)), torch.zeros(64, 2)

    def losses(self):
        still, least = torch.zeros(64, 2), torch.full((64, 6), LEAST)
        lengths, rates, _ = muscles(self.start, still)
        state = self.start, still, least, forces(least, lengths, rates)
        errors, excitations = [], []
        for _ in range(STEPS):
            lengths, rates, _ = muscles(state[0], state[1])
            senses = lengths / OPTIMAL, rates / (10 * OPTIMAL), hand(state[0]), self.target
            excitations.append(self.network(torch.cat(senses, 1)))
            state = arm_step(state, excitations[-1], self.load)
            errors.append(hand(state[0]) - self.target)
        error = torch.stack(errors, 1)
        effort = torch.stack(excitations, 1).square().mean()
        return 5 * error.abs().mean(), 50 * error.square().mean() + 2 * effort

    def routed(self):
        """Both losses and the gradients in the order of the parameters."""
        a, b = self.losses()
        by_a = torch.autograd.grad(a, self.by_a, retain_graph=True)
        by_b = torch.autograd.grad(b, self.by_b)
        shared = [0.5 * (x + y) for x, y in zip(by_a[self.half:], by_b[self.half:])]
        return (a, b), [*by_a[:self.half], *by_b[:self.half], *shared]

    def __call__(self, compiled):
        optimiser = torch.optim.Adam(self.parameters, lr=1e-3, eps=1e-7, fused=True)

        def step():
            _, gradients = self.routed()
            for x, g in zip(self.parameters, gradients):
                x.grad = g / g.norm().clamp(min=1)
            optimiser.step()
            with torch.no_grad():
                self.network.join.relu_()

        return step

    def compared(self):
        fill(self.parameters)
        losses, gradients = self.routed()
        return [*(x.item() for x in losses), length(gradients)]


WORKLOADS = {
    "bilateral_motor_step": System(
        Reaching, lambda: Reaching().compared(),
        Need(
            3, 2 * 3 * 50 * 64 * 2 * (16 * 5 + 25 + 30) / 1e9, 0,
            "the fixed cost of 50 steps of some 150 operations on small tensors, each way"),
        compiles=False),
}
