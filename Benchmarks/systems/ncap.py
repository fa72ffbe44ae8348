"""A worm's circuit swims, with many sets of weights at once; in NumPy, where nothing is differentiated."""

import numpy as np
import torch

from need import Need
from patterns import numbers
from swimmer import AIM, EPISODE, FARTHEST, JOINTS, PERIOD, swim
from system import System


def returns(sets):
    """The reward of an episode for each set of the circuit's four weights [sets, 4]."""
    count = len(sets)
    felt, ipsilateral, contralateral, rhythm = (sets[:, i, None, None] for i in range(4))
    felt, ipsilateral, rhythm = (np.maximum(x, 0) for x in (felt, ipsilateral, rhythm))
    contralateral = np.minimum(contralateral, 0)
    heading, bends = np.zeros((count, 1), np.float32), np.zeros((count, JOINTS), np.float32)
    total = np.zeros(count, np.float32)
    for step in range(EPISODE):
        q = bends / FARTHEST
        sides = np.clip(np.stack([q, -q], 1), 0, 1)
        neurons = np.zeros_like(sides)
        neurons[:, :, 1:] = felt * sides[:, :, :-1]
        neurons[:, 0 if step % PERIOD < PERIOD // 2 else 1, 0] += rhythm[:, 0, 0]
        neurons = np.clip(neurons, 0, 1)
        pulls = np.clip(neurons * ipsilateral + neurons[:, ::-1] * contralateral, 0, 1)
        heading, bends, speed = swim(heading, bends, pulls[:, 0] - pulls[:, 1])
        total += np.clip(speed / np.float32(AIM), 0, 1)
    return total


class Swimming:
    """A generation of estorch's evolution with 16 pairs, and Adam."""

    def __call__(self, compiled):
        weights = torch.tensor([1.0, 1, -1, 1])
        optimiser = torch.optim.Adam([weights], lr=0.01, weight_decay=0.005, fused=True)
        random = np.random.default_rng(1)

        def step():
            half = random.normal(0, 0.02, (16, 4)).astype(np.float32)
            changes = np.concatenate([np.zeros((1, 4), np.float32), half, -half])
            found = returns(weights.numpy() + changes)[1:]
            ranks = found.argsort(kind="stable").argsort() / (len(found) - 1) - 0.5
            along = -(ranks[:, None] * changes[1:]).sum(0) / (len(found) * 0.02)
            weights.grad = torch.from_numpy(np.clip(along, -1, 1).astype(np.float32))
            optimiser.step()

        return step

    def compared(self):
        weights = np.array([1, 1, -1, 1], np.float32)
        changes = np.stack([numbers((33,), place) for place in range(4)], 1) * np.float32(0.3)
        found = returns(weights + changes)
        return [float(found.sum()), float(found.max()), float(found.min())]


WORKLOADS = {
    "ncap_generation": System(
        Swimming, lambda: Swimming().compared(),
        Need(
            2, 2 * 500 * 33 * (2 * 36 * 2 + 2 * 6 * 64 + 2 * 512 + 171) / 1e9, 0,
            "the fixed cost of 500 steps of some 70 operations on 33 swimmers, of which NumPy has as many, "
            "as cheap as ours: nothing is recorded and there is nothing to fuse"),
        compiles=False),
}
