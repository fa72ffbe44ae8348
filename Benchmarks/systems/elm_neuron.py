"""The expressive leaky memory neuron, as in elmneuron."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from need import Need, training_bytes
from patterns import pattern
from steps import training
from system import learned


def branch_memories(x, synapses, hidden, hidden_bias, writing, writing_bias, keep, gain,
                    synapse_keep: float, branches: int):
    """The time loop of elmneuron: what each synapse receives [batch, time, synapses] -> memories."""
    trace = torch.zeros_like(x[:, 0])
    memory = torch.zeros(x.shape[0], keep.shape[0])
    weights = torch.relu(synapses)
    states = []
    for t in range(x.shape[1]):
        trace = synapse_keep * trace + weights * x[:, t]
        sums = trace.view(x.shape[0], branches, -1).sum(2)
        kept = keep * memory
        inner = torch.relu(F.linear(torch.cat([sums, kept], 1), hidden, hidden_bias))
        written = torch.tanh(F.linear(inner, writing, writing_bias) * (2 / 3)) * 1.7159
        memory = kept + gain * written
        states.append(memory)
    return torch.stack(states, 1)


class BranchNeuron(nn.Module):
    """The Branch-ELM neuron of 8,002 parameters."""

    def __init__(self, loop, inputs=1278, branches=45, per_branch=100, memories=20, longest=150.0):
        super().__init__()
        self.loop, self.branches = loop, branches
        self.synapses = nn.Parameter(torch.full((branches * per_branch,), 0.5))
        self.hidden = nn.Linear(branches + memories, 2 * memories)
        self.writing = nn.Linear(2 * memories, memories)
        self.output = nn.Linear(memories, 2)
        start, end = math.log(1 + 1e-6), math.log(longest - 1e-6)
        taus = torch.exp(torch.linspace(start, end, memories, dtype=torch.float64))
        self.keep = torch.exp(-1 / taus).float()
        place = (torch.arange(branches)[:, None] * math.ceil(inputs / branches)
                 + torch.arange(per_branch)).flatten()
        inside = place.clamp(max=inputs - 1)
        self.routes = inside % 2 * (inputs // 2) + inside // 2
        self.valid = (place < inputs).float()

    def forward(self, x):
        return self.output(self.loop(
            x[:, :, self.routes] * self.valid, self.synapses, self.hidden.weight, self.hidden.bias,
            self.writing.weight, self.writing.bias, self.keep, 5 * (1 - self.keep), math.exp(-1 / 5),
            self.branches))


def branch_neurons():
    """The loop as it is, and compiled as the authors do."""
    x = (pattern(8, 500, 1278, stream=1) > 0.98).float()
    target = pattern(8, 500, 2, stream=2)
    loops = branch_memories, torch.jit.script(branch_memories)
    return [training(BranchNeuron(loop), x, target, F.mse_loss) for loop in loops]


WORKLOADS = {
    "elm_neuron_step": learned(
        branch_neurons,
        Need(
            10, 2 * 4000 * (2 * 1278 * 45 + 3 * (45 * 40 + 2 * 20 * 40 + 2 * 20)) / 1e9,
            4 * 4000 * 1278 * 2 / 1e6 + training_bytes(8_002, 4000 * (45 * 2 + 40 + 20 * 2)),
            "bytes and arithmetic of 4,000 x 1,278 inputs, seen twice; then 500 small steps each way"),
        compiles=False),
}
