"""An arm of six muscles in PyTorch, as MotorNet has it; see MuscleArm."""

import math

import torch

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
