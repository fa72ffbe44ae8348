"""A chain of links in a viscous fluid, in NumPy; see LinkSwimmer."""

import math

import numpy as np

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
