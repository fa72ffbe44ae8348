"""Writes golden.safetensors: the three variants of NoProp with random weights, in float64.

    git clone https://github.com/yhgon/NoProp && git -C NoProp checkout 928332455c01d2be0c1a3fc88b48701de6e508ef
    pip install torch==2.13.0 safetensors==0.8.0
    python golden.py NoProp

The learned schedule with the derivative of its signal-to-noise ratio (by automatic differentiation), and the
code of the time, are those of the checkout, whose weights are made positive as the paper wants them, without
the 1e-8 that it adds to a denominator. Its losses and samplers, like those of other public copies, are not
the paper's: z_t there has abar in place of its root, and no head reads z_1. Losses and courses are therefore
the paper's equations (3), (8), (9), (11) and (13), written out here; what is random is drawn beforehand and
stored.
"""

import math
import pathlib
import sys
import types
import unittest.mock

import torch
from safetensors.torch import save_file
from torch.func import functional_call
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
# It loads torchvision for networks that are not used here.
for name in ("torchvision", "torchvision.transforms", "torchvision.models"):
    sys.modules[name] = unittest.mock.MagicMock()
path = pathlib.Path(sys.argv[1]) / "src/nopropct_mnist.py"
# Nothing is added to the denominator of gbar.
source = path.read_text()
assert source.count("(g1 - g0 + 1e-8)") == 1
copy = types.ModuleType("nopropct_mnist")
exec(compile(source.replace("(g1 - g0 + 1e-8)", "(g1 - g0)"), str(path), "exec"), copy.__dict__)

BATCH, INPUTS, CLASSES, WIDTH, HIDDEN, TIME, SCHEDULE = 5, 5, 3, 4, 6, 6, 5
stored = {}


def weights(blocks, joined):
    """Parameters by our names; those of blocks with their leading axis."""
    shapes = {
        "input": (HIDDEN, INPUTS), "code": (HIDDEN, WIDTH), "codeResidual": (HIDDEN, HIDDEN),
        "clock": (HIDDEN, TIME), "joint": (HIDDEN, joined * HIDDEN), "output": (CLASSES, HIDDEN),
    }
    if joined == 2:
        del shapes["clock"]
    made = {"codes": torch.randn(CLASSES, WIDTH)}
    for name, shape in shapes.items():
        made[f"blocks.{name}.weight"] = torch.randn(blocks, *shape) / math.sqrt(shape[1])
        made[f"blocks.{name}.bias"] = torch.randn(blocks, shape[0]) * 0.3
    made["head.weight"], made["head.bias"] = torch.randn(CLASSES, WIDTH), torch.randn(CLASSES)
    return made


def layer(w, name, t, x):
    return F.linear(x, w[f"blocks.{name}.weight"][t], w[f"blocks.{name}.bias"][t])


def logits(w, t, x, z, time=None):
    first = F.relu(layer(w, "code", t, z))
    parts = [F.relu(layer(w, "input", t, x)), first + F.relu(layer(w, "codeResidual", t, first))]
    if time is not None:
        parts.append(F.relu(layer(w, "clock", t, copy.sinusoidal_embedding(time, TIME))))
    return layer(w, "output", t, F.relu(layer(w, "joint", t, torch.cat(parts, 1))))


def ends(w, u, y, first, last, noise):
    """CE(out(z_T), y) + KL(N(sqrt(first) u, 1 - first) || N(0, 1))."""
    named = F.cross_entropy(
        F.linear(noised(u, last, noise), w["head.weight"], w["head.bias"]), y, reduction="none")
    q = torch.distributions.Normal(first.sqrt() * u, (1 - first).sqrt().expand_as(u))
    p = torch.distributions.Normal(torch.zeros_like(u), torch.ones_like(u))
    return named + torch.distributions.kl_divergence(q, p).sum(1)


def noised(u, signal, noise):
    return signal.sqrt() * u + (1 - signal).sqrt() * noise


def denoised(z, guess, before, after, noise):
    """A step of the posterior q(z_t | z_(t-1), u = guess), by equations (40) and (41)."""
    alpha = before / after
    mean = after.sqrt() * (1 - alpha) / (1 - before) * guess
    mean = mean + alpha.sqrt() * (1 - after) / (1 - before) * z
    return mean + ((1 - after) * (1 - alpha) / (1 - before)).sqrt() * noise


def store(name, w, draws, losses, course):
    w = {key: value.requires_grad_() for key, value in w.items()}
    found = losses(w)
    gradients = torch.autograd.grad(found.sum(), list(w.values()))
    stored[f"{name}.losses"] = found.detach()
    stored[f"{name}.course"] = torch.stack(course(w)).detach()
    for key, value in draws.items():
        stored[f"{name}.{key}"] = value.detach()
    for (key, value), gradient in zip(w.items(), gradients):
        stored[f"{name}.w.{key}"], stored[f"{name}.g.{key}"] = value.detach(), gradient


x, y = torch.randn(BATCH, INPUTS), torch.tensor([2, 0, 1, 1, 2])
stored["x"], stored["labels"] = x.reshape(BATCH, 1, INPUTS), y.to(torch.int32)


def draws(count, times=False):
    made = {"last": torch.randn(BATCH, WIDTH), "noise": torch.randn(count, BATCH, WIDTH)}
    made["steps"] = torch.randn(5, BATCH, WIDTH)
    if times:
        made["times"] = torch.rand(BATCH)
    return made


# Discrete: three blocks, eta 0.3, abar from 0.05 to 0.95.
T, ETA = 3, 0.3
abar = 0.05 + 0.9 * torch.sin(torch.pi / 2 * torch.arange(T + 1) / T) ** 2
snr = abar / (1 - abar)
d = draws(T)


def discrete_losses(w, d=d):
    u = w["codes"][y]
    total = ends(w, u, y, abar[0], abar[T], d["last"])
    for t in range(1, T + 1):
        z = noised(u, abar[t - 1], d["noise"][t - 1])
        guess = logits(w, t - 1, x, z).softmax(1) @ w["codes"]
        total = total + ETA / 2 * (snr[t] - snr[t - 1]) * (guess - u).pow(2).sum(1)
    return total


def discrete_course(w, d=d):
    course = [d["steps"][0]]
    for t in range(1, T + 1):
        guess = logits(w, t - 1, x, course[-1]).softmax(1) @ w["codes"]
        course.append(denoised(course[-1], guess, abar[t - 1], abar[t], d["steps"][t]))
    return course


store("discrete", weights(T, 2), d, discrete_losses, discrete_course)

# Continuous: four steps to classify.
schedule = copy.NoiseSchedule(SCHEDULE)
c = draws(1, times=True)
w = weights(1, 3)
w |= {
    "noise.inner": torch.randn(SCHEDULE), "noise.innerBias": torch.randn(SCHEDULE),
    "noise.outer": torch.randn(SCHEDULE) - 1, "noise.outerBias": torch.randn(()),
    "noise.gamma0": torch.tensor(-3.0), "noise.gamma1": torch.tensor(2.5),
}


def signal(w, t):
    """abar of the checkout's schedule at t [n, 1], with positive weights."""
    own = {
        "gamma_tilde.0.weight": F.softplus(w["noise.inner"])[:, None],
        "gamma_tilde.0.bias": w["noise.innerBias"],
        "gamma_tilde.2.weight": F.softplus(w["noise.outer"])[None],
        "gamma_tilde.2.bias": w["noise.outerBias"][None],
        "gamma0": w["noise.gamma0"], "gamma1": w["noise.gamma1"],
    }

    class At(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.schedule = schedule

        def forward(self, t):
            return self.schedule.alpha_bar(t)

    return functional_call(At(), {f"schedule.{key}": value for key, value in own.items()}, (t,))


def continuous_losses(w, d=c):
    u = w["codes"][y]
    t = d["times"][:, None].clone().requires_grad_()
    at = signal(w, t)
    gain = torch.autograd.grad((at / (1 - at)).sum(), t, create_graph=True)[0]
    stored["continuous.signal"], stored["continuous.gain"] = at[:, 0].detach(), gain[:, 0].detach()
    sides = signal(w, torch.tensor([[0.0], [1.0]]))[:, 0]
    guess = logits(w, 0, x, noised(u, at, d["noise"][0]), t).softmax(1) @ w["codes"]
    sdm = ETA / 2 * gain[:, 0] * (guess - u).pow(2).sum(1)
    return ends(w, u, y, sides[0], sides[1], d["last"]) + sdm


def continuous_course(w, d=c, steps=4):
    abar = signal(w, (torch.arange(steps + 1) / steps)[:, None])[:, 0]
    course = [d["steps"][0]]
    for t in range(steps):
        time = torch.full((BATCH, 1), t / steps)
        guess = logits(w, 0, x, course[-1], time).softmax(1) @ w["codes"]
        course.append(denoised(course[-1], guess, abar[t], abar[t + 1], d["steps"][t + 1]))
    return course


store("continuous", w, c, continuous_losses, continuous_course)

# Flow: four steps, noise of 0.1 about the path.
f = draws(1, times=True)


def flow_losses(w, d=f):
    u, t = w["codes"][y], d["times"][:, None]
    z = t * u + (1 - t) * d["last"] + 0.1 * d["noise"][0]
    v = logits(w, 0, x, z, t) @ w["codes"]
    extrapolated = F.linear(z + (1 - t) * v, w["head.weight"], w["head.bias"])
    return (v - (u - d["last"])).pow(2).sum(1) + F.cross_entropy(extrapolated, y, reduction="none")


def flow_course(w, d=f, steps=4):
    course = [d["steps"][0]]
    for t in range(steps):
        time = torch.full((BATCH, 1), t / steps)
        course.append(course[-1] + logits(w, 0, x, course[-1], time) @ w["codes"] / steps)
    return course


store("flow", weights(1, 3), f, flow_losses, flow_course)
out = pathlib.Path(__file__).with_name("golden.safetensors")
save_file(
    {key: value.clone().contiguous() for key, value in stored.items()}, out,
    metadata={"source": "yhgon/NoProp 9283324 for the schedule and the time's code"})
