"""Systems that move a body: an arm of six muscles in PyTorch, as MotorNet has it, and a chain of links in
a viscous fluid in NumPy, where nothing is differentiated."""

import math
import types

import numpy as np
import torch
from torch import nn

from patterns import fill, length, numbers, pattern

# ---- An arm, and two halves that control it

ENDS = torch.tensor([math.radians(135), math.radians(155)])
M1, M2, L1, L2, G1, G2, I1, I2 = 1.82, 1.43, 0.309, 0.333, 0.135, 0.165, 0.051, 0.057
COUPLING, LOWER = M2 * L1 * G2, M2 * G2 * G2 + I2
UPPER = M1 * G1 * G1 + I1 + M2 * L1 * L1 + LOWER
LARGEST = torch.tensor([838.0, 1207, 1422, 1549, 414, 603])
OPTIMAL = torch.tensor([0.134, 0.140, 0.092, 0.093, 0.137, 0.127])
REST = torch.tensor([0.151, 0.2322, 0.2859, 0.2355, 0.3329, 0.2989])
TENDON = torch.tensor([0.039, 0.066, 0.172, 0.187, 0.204, 0.217])
LINEAR = torch.tensor([[-0.03, 0.03, 0, 0, -0.03, 0.03], [0, 0, -0.014, 0.025, -0.016, 0.03]])
QUADRATIC = torch.tensor([[0.0] * 6, [0, 0, -4e-3, -2.2e-3, -5.7e-3, -3.2e-3]])
MIDDLE = torch.tensor([math.pi / 2, 0])
LEAST, TIMESTEP, STEPS = 0.001, 0.01, 50


def hand(angles):
    shoulder, both = angles[:, 0], angles.sum(1)
    return torch.stack(
        [L1 * shoulder.cos() + L2 * both.cos(), L1 * shoulder.sin() + L2 * both.sin()], 1)


def muscles(angles, velocities):
    """Lengths, how fast they change, and moment arms."""
    q = (angles - MIDDLE).unsqueeze(2)
    arms = LINEAR + 2 * QUADRATIC * q
    whole = ((LINEAR + QUADRATIC * q) * q).sum(1) + REST
    return torch.relu(whole - TENDON), (velocities.unsqueeze(2) * arms).sum(1), arms


def forces(a, lengths, velocities):
    """Hill's muscles with rigid tendons."""
    l, v = lengths / OPTIMAL, velocities / (10 * OPTIMAL)
    passive = torch.relu(l - 1.4).square() / 0.26**2
    by_length = (1 - (l - 1).square() / 0.66**2).clamp(min=0.01)
    a_rel = torch.where(l > 1, 0.41 * by_length, 0.41)
    b_rel = torch.where(a < 0.3, 5.2 * (1 - 0.9 * (a - 0.3) / (5e-3 - 0.3)).square(), 5.2)
    isometric = by_length * a
    shortening, lengthening = v.clamp(max=0), v.clamp(min=0)
    concentric = (shortening * a * a_rel + isometric * b_rel) / (b_rel - shortening)
    slope = 0.001
    steepness = slope - 2 * a * (by_length + a_rel) / b_rel
    p1, p2, p3 = -0.5 * isometric / steepness, 0.25 * isometric.square() / steepness, -1.5 * isometric
    eccentric = (p2 - p1 * p3 + (p1 * slope - p3) * lengthening + slope * lengthening.square()) / (
        p1 + lengthening)
    return (torch.relu(torch.where(v < 0, concentric, eccentric)) + passive) * LARGEST


def accelerations(angles, velocities, torques, load):
    shoulder, elbow = angles.unbind(1)
    v1, v2 = velocities.unbind(1)
    both = shoulder + elbow
    turn, swing = COUPLING * elbow.cos(), COUPLING * elbow.sin()
    m11, m12 = UPPER + 2 * turn, LOWER + turn
    x2, y2 = -L2 * both.sin(), L2 * both.cos()
    x1, y1 = x2 - L1 * shoulder.sin(), y2 + L1 * shoulder.cos()
    t1 = torques[:, 0] + swing * (2 * v1 + v2) * v2 + x1 * load[:, 0] + y1 * load[:, 1]
    t2 = torques[:, 1] - swing * v1 * v1 + x2 * load[:, 0] + y2 * load[:, 1]
    determinant = m11 * LOWER - m12 * m12
    return torch.stack([LOWER * t1 - m12 * t2, m11 * t2 - m12 * t1], 1) / determinant.unsqueeze(1)


def arm_step(state, excitations, load):
    angles, velocities, a, force = state
    u = excitations.clamp(LEAST, 1)
    speed = 0.5 + 1.5 * a
    tau = torch.where(u > a, 0.015 * speed, 0.05 / speed)
    activations = (a + (u - a) / tau * TIMESTEP).clamp(LEAST, 1)
    lengths, rates, arms = muscles(angles, velocities)
    torques = -(force.unsqueeze(1) * arms).sum(2)
    moved = angles + velocities * TIMESTEP
    faster = velocities + accelerations(angles, velocities, torques, load) * TIMESTEP
    stopped = ((faster < 0) & (moved <= 0)) | ((faster > 0) & (moved >= ENDS))
    return (torch.minimum(torch.relu(moved), ENDS), torch.where(stopped, 0.0, faster), activations,
            forces(activations, lengths, rates))


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


REACHING = types.SimpleNamespace(make=Reaching, compared=lambda: Reaching().compared())

# ---- A swimmer, and the circuit that controls it

JOINTS, LINK, ALONG, ACROSS, STRENGTH, STIFFNESS, FRICTION, PACE = 5, 0.2, 1.0, 4.0, 0.05, 0.02, 0.005, 0.03
LINKS, SIZE = JOINTS + 1, JOINTS + 3
FARTHEST, AIM, PERIOD, EPISODE = np.float32(2 * math.pi / LINKS), LINK * LINKS / 6, 60, 500


def constants():
    levers = -LINK * np.tril(np.ones((LINKS, LINKS)), -1) - LINK / 2 * np.eye(LINKS)
    change = np.eye(SIZE)
    change[2:, 2:] = np.tril(np.ones((LINKS, LINKS)))
    spin = np.diag([0.0, 0] + [ACROSS * LINK**3 / 12] * LINKS)
    friction = np.diag([0.0] * 3 + [FRICTION] * JOINTS)
    return [x.astype(np.float32) for x in (levers - levers.mean(0), change, spin, friction)]


LEVERS, CHANGE, SPIN, FRICTIONS = constants()


def swim(heading, bends, torques):
    """A step of a batch of swimmers: heading, bends, and how fast they went forward."""
    angles = np.concatenate([heading, heading + np.cumsum(bends, 1)], 1)
    cosine, sine = np.cos(angles), np.sin(angles)
    along, across = np.stack([cosine, sine], 2), np.stack([-sine, cosine], 2)
    turned = across.transpose(0, 2, 1)
    by_along = np.concatenate([along, LEVERS * (along @ turned)], 2)
    by_across = np.concatenate([across, LEVERS * (across @ turned)], 2)
    resistance = (by_along.transpose(0, 2, 1) @ by_along * np.float32(ALONG * LINK)
                  + by_across.transpose(0, 2, 1) @ by_across * np.float32(ACROSS * LINK))
    matrix = CHANGE.T @ (resistance + SPIN) @ CHANGE + FRICTIONS
    pull = torques * np.float32(STRENGTH) - bends * np.float32(STIFFNESS)
    right = np.concatenate([np.zeros((len(bends), 3), np.float32), pull], 1)
    speeds = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
    body = np.stack([cosine.mean(1), sine.mean(1)], 1)
    body /= np.sqrt((body * body).sum(1, keepdims=True) + np.float32(1e-12))
    return (heading + speeds[:, 2:3] * np.float32(PACE),
            np.clip(bends + speeds[:, 3:] * np.float32(PACE), -FARTHEST, FARTHEST),
            (speeds[:, :2] * body).sum(1))


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


SWIMMING = types.SimpleNamespace(make=Swimming, compared=Swimming().compared)
