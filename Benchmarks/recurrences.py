"""Recurrences over long sequences, step by step and in chunks."""

import torch
from torch.nn import functional as F


def recurrence(inputs):
    """h_t = a_t h_(t-1) + b_t over [2, batch, time, channels], a and b one after the other."""
    h, states = torch.zeros_like(inputs[0, :, 0]), []
    for a, b in zip(inputs[0].unbind(1), inputs[1].unbind(1)):
        h = torch.addcmul(b, a, h)
        states.append(h)
    return torch.stack(states, 1)


def delta_rule(q, k, v, beta):
    """S_t = S_(t-1) + beta k (v - S_(t-1)ᵀ k)ᵀ over [batch, heads, time, width], step by step."""
    state, outputs = q.new_zeros(*q.shape[:2], q.shape[3], v.shape[3]), []
    for t in range(q.shape[2]):
        key = k[:, :, t, None]
        written = beta[:, :, t, None, None] * (v[:, :, t, None] - key @ state)
        state = state + key.transpose(2, 3) @ written
        outputs.append(q[:, :, t, None] @ state)
    return torch.cat(outputs, 2) * q.shape[3] ** -0.5


def selective_scan(x, delta, b, c, a, skip, bias):
    """h_t = exp(delta_t a) h_(t-1) + delta_t b_t x_t, y_t = c_t h_t + skip x_t over [batch, time, channels],
    step by step; what can be computed for all steps at once is."""
    delta = F.softplus(delta + bias)
    decays = torch.exp(delta[..., None] * a)
    written = (delta * x)[..., None] * b[:, :, None]
    state, states = torch.zeros_like(decays[:, 0]), []
    for decay, new in zip(decays.unbind(1), written.unbind(1)):
        state = torch.addcmul(new, decay, state)
        states.append(state)
    return torch.einsum("btcn,btn->btc", torch.stack(states, 1), c) + skip * x


def selective_inputs(batch, steps, channels, states):
    """x, delta, b, c, a as Mamba begins, skip and the bias of delta."""
    sequences = [torch.randn(batch, steps, width) for width in (channels, channels, states, states)]
    a = -torch.arange(1.0, states + 1).repeat(channels, 1)
    return (*sequences, a, torch.ones(channels), torch.full((channels,), -4.0))


def delta_rule_in_chunks(q, k, v, beta, size=64):
    """The same with a triangular solve per chunk (Yang et al. 2024)."""
    q, k, v, beta = (x.unflatten(2, (-1, size)) for x in (q * q.shape[3] ** -0.5, k, v, beta[..., None]))
    system = torch.tril(beta * k @ k.transpose(3, 4), -1)
    solved = torch.linalg.solve_triangular(
        system, torch.cat([beta * v, beta * k], 4), upper=False, unitriangular=True)
    values, keys = solved.split([v.shape[4], k.shape[4]], 4)
    scores = torch.tril(q @ k.transpose(3, 4))
    state, outputs = q.new_zeros(*q.shape[:2], q.shape[4], v.shape[4]), []
    for i in range(q.shape[2]):
        written = values[:, :, i] - keys[:, :, i] @ state
        outputs.append(q[:, :, i] @ state + scores[:, :, i] @ written)
        state = state + k[:, :, i].transpose(2, 3) @ written
    return torch.cat(outputs, 2)


def linear_attention_in_chunks(q, k, v, decay=None, size=64):
    """S_t = exp(decay_t) S_(t-1) + k vᵀ in chunks, all at once but for the states between them."""
    q, k, v = (x.unflatten(2, (-1, size)) for x in (q * q.shape[3] ** -0.5, k, v))
    scores = torch.tril(q @ k.transpose(3, 4))
    if decay is not None:
        since = decay.unflatten(2, (-1, size)).cumsum(3)[..., None]
        scores = scores * torch.exp((since - since.transpose(3, 4)).tril())
        q, k = q * since.exp(), k * (since[:, :, :, -1:] - since).exp()
        passing = since[:, :, :, -1:].exp()
    added = k.transpose(3, 4) @ v
    state, states = torch.zeros_like(added[:, :, 0]), []
    for i in range(q.shape[2]):
        states.append(state)
        state = (state if decay is None else passing[:, :, i] * state) + added[:, :, i]
    return (scores @ v + q @ torch.stack(states, 2)).flatten(2, 3)


def sequence(*shape):
    """Queries, keys of length 1, values, betas and logarithms of decays."""
    return (torch.randn(shape), F.normalize(torch.randn(shape), dim=-1), torch.randn(shape),
            torch.rand(shape[:-1]), -0.1 * torch.rand(shape[:-1]))
