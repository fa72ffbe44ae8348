"""Writes point-neurons.safetensors: classical neurons by Brian2 and, for derivatives, by the same equations in
PyTorch, in float64. Both must do the same.

    pip install torch==2.13.0 brian2==2.9.0 numpy==2.2.6 scipy safetensors
    python point_neurons.py
"""

import pathlib

import brian2
import numpy
import torch
from brian2 import ms
from safetensors.torch import save_file
from scipy.signal import cont2discrete

brian2.prefs.codegen.target = "numpy"
torch.set_default_dtype(torch.float64)
tensors = {}


class Spike(torch.autograd.Function):
    """H(x), with 1 / (1 + slope |x|)^2 for a derivative; strict where nothing happens at 0."""

    @staticmethod
    def forward(ctx, x, slope, strict):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return ((x > 0) if strict else (x >= 0)).to(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g / (1 + ctx.slope * x.abs()) ** 2, None, None


def draw(generator, *shape):
    return torch.randn(*shape, generator=generator)


def single(x):
    """As ours start: rounded to float32."""
    return float(numpy.float32(x))


def brian(equations, threshold, reset, before, method, start, current, step, substeps):
    """Spikes in the time of each token [batch, time, neurons], and the last states."""
    batch, time, neurons = current.shape
    flat = numpy.ascontiguousarray(current.swapaxes(0, 1)).reshape(time, batch * neurons)
    driven = brian2.TimedArray(flat, dt=step * substeps * ms)
    brian2.defaultclock.dt = step * ms
    group = brian2.NeuronGroup(batch * neurons, equations, threshold=threshold, reset=reset, method=method,
                               namespace={"driven": driven})
    if before:
        group.run_regularly(before, when="start")
    for key, value in start.items():
        setattr(group, key, value)
    monitor = brian2.SpikeMonitor(group)
    net = brian2.Network(group, monitor)
    net.run(time * substeps * step * ms, namespace={})
    counts = numpy.zeros((time, batch * neurons))
    places = numpy.floor(numpy.asarray(monitor.t / ms) / (step * substeps) + 1e-6).astype(int)
    numpy.add.at(counts, (places, numpy.asarray(monitor.i)), 1)
    states = {key: numpy.asarray(getattr(group, key)).reshape(batch, neurons) for key in start}
    return counts.reshape(time, batch, neurons).swapaxes(0, 1), states


def case(name, ours, theirs, start, scale, step, substeps, names, *, constants=(), batch=2, time=8, width=5, neurons=3,
         seed=0, drive=1.0):
    """`ours` does one step of the equations: current, states, constants -> spikes, states. `theirs` is what
    Brian2 is told, or a function that does it."""
    generator = torch.Generator().manual_seed(seed)
    x = draw(generator, batch, time, width)
    weights = {"weights.weight": draw(generator, neurons, width) * 0.3, "weights.bias": draw(generator, neurons) * 0.1 + drive}
    weights |= {key: torch.tensor(value) for key, value in dict(constants).items()}
    for one in [x, *weights.values()]:
        one.requires_grad_()
    current = scale * torch.nn.functional.linear(x, weights["weights.weight"], weights["weights.bias"])
    states = {key: torch.full((batch, neurons), value) for key, value in start.items()}
    outputs = []
    for t in range(time):
        count = 0
        for _ in range(substeps):
            spikes, states = ours(current[:, t], states, weights)
            count = count + spikes
        outputs.append(count)
    y = torch.stack(outputs, 1)
    other = theirs({key: value.detach().numpy() for key, value in weights.items()})
    run = other if callable(other) else lambda *given: brian(*other, start, *given)
    counts, last = run(current.detach().numpy(), step, substeps)
    assert (counts == y.detach().numpy()).all(), (name, counts.sum(), y.sum())
    for key, value in last.items():
        difference = numpy.abs(value - states[key].detach().numpy()).max()
        assert difference < 1e-8 * max(1, numpy.abs(value).max()), (name, key, difference)
    assert 3 < y.sum(), (name, y.sum())
    cotangent = draw(generator, *y.shape)
    (y * cotangent).sum().backward()
    tensors.update({f"{name}.x": x, f"{name}.y": y, f"{name}.cotangent.y": cotangent, f"{name}.gradient.x": x.grad})
    tensors.update({f"{name}.state.{names[key]}": value for key, value in states.items()})
    for key, value in weights.items():
        tensors[f"{name}.weight.{key}"], tensors[f"{name}.gradient.{key}"] = value, value.grad
    print(name, int(y.sum().item()), "spikes, largest gradient", x.grad.abs().max().item())


def izhikevich(a, b, c, d, h, slope=25, detach=True):
    def ours(current, s, _):
        v, u = s["v"], s["u"]
        v, u = v + h * (0.04 * v * v + 5 * v + 140 - u + current), u + h * a * (b * v - u)
        spikes = Spike.apply((v - 30) / (30 - c), slope, False)
        resets = spikes.detach() if detach else spikes
        return spikes, {"v": v - resets * (v - c), "u": u + resets * d}

    def theirs(_):
        return (f"dv/dt = (0.04*v**2 + 5*v + 140 - u + driven(t, i))/ms : 1\ndu/dt = {a}*({b}*v - u)/ms : 1",
                "v >= 30", f"v = {c}; u += {d}", "", "euler")
    return ours, theirs, {"v": c, "u": single(b * c)}


def adex(h, C=281.0, g=30.0, E=-70.6, T=-50.4, D=2.0, tau=144.0, a=4.0, b=80.5, reset=-70.6, peak=-40.4, detach=True):
    def ours(current, s, _):
        v, w = s["v"], s["w"]
        dv = (-g * (v - E) + g * D * torch.exp((v - T) / D) - w + current) / C
        v, w = v + h * dv, w + h * (a * (v - E) - w) / tau
        spikes = Spike.apply((v - peak) / (peak - reset), 25, False)
        resets = spikes.detach() if detach else spikes
        return spikes, {"v": v - resets * (v - reset), "w": w + resets * b}

    def theirs(_):
        return (f"dv/dt = (-{g}*(v - {E}) + {g * D}*exp((v - {T})/{D}) - w + driven(t, i))/{C}/ms : 1\n"
                f"dw/dt = ({a}*(v - {E}) - w)/{tau}/ms : 1", f"v >= {peak}", f"v = {reset}; w += {b}", "", "euler")
    return ours, theirs, {"v": single(E), "w": 0.0}


def hodgkin_huxley(h, C=1.0, gNa=120.0, gK=36.0, gL=0.3, ENa=50.0, EK=-77.0, EL=-54.387):
    def ratio(x):
        return torch.where(x.abs() < 1e-4, 1 + x / 2, x / -torch.expm1(-torch.where(x.abs() < 1e-4, torch.ones_like(x), x)))

    def rates(v):
        return {"m": (ratio((v + 40) / 10), 4 * torch.exp(-(v + 65) / 18)),
                "h": (0.07 * torch.exp(-(v + 65) / 20), torch.sigmoid((v + 35) / 10)),
                "n": (0.1 * ratio((v + 55) / 10), 0.125 * torch.exp(-(v + 65) / 80))}

    def ours(current, s, _):
        v = s["v"]
        gates = {}
        for key, (alpha, beta) in rates(v).items():
            limit = alpha / (alpha + beta)
            gates[key] = limit + (s[key] - limit) * torch.exp(-h * (alpha + beta))
        na, k = gNa * s["m"] ** 3 * s["h"], gK * s["n"] ** 4
        whole = na + k + gL
        limit = (na * ENa + k * EK + gL * EL + current) / whole
        risen = limit + (v - limit) * torch.exp(-h * whole / C)
        return Spike.apply(risen / 65, 25, False) * (v < 0).to(v), {"v": risen, **gates}

    def theirs(_):
        return (f"""
            dv/dt = (driven(t, i) - {gNa}*m**3*h*(v - {ENa}) - {gK}*n**4*(v - {EK}) - {gL}*(v - {EL}))/{C}/ms : 1
            dm/dt = ((v + 40)/10/(1 - exp(-(v + 40)/10))*(1 - m) - 4*exp(-(v + 65)/18)*m)/ms : 1
            dh/dt = (0.07*exp(-(v + 65)/20)*(1 - h) - 1/(1 + exp(-(v + 35)/10))*h)/ms : 1
            dn/dt = (0.1*(v + 55)/10/(1 - exp(-(v + 55)/10))*(1 - n) - 0.125*exp(-(v + 65)/80)*n)/ms : 1
            last : 1""", "v >= 0 and last < 0", "", "last = v", "exponential_euler")
    start = {key: single((alpha / (alpha + beta)).item()) for key, (alpha, beta) in rates(torch.tensor(-65.0)).items()}
    return ours, theirs, {"v": -65.0, **start}


def resonate(h, detach=True):
    def constants(w):
        b, omega = -w["damping"], w["frequency"] * (2 * numpy.pi / 1000)
        return b, omega

    def ours(current, s, w):
        b, omega = constants(w)
        z = torch.exp(torch.complex(b, omega) * h)
        added = (z - 1) / torch.complex(b, omega)
        after = z * torch.complex(s["x"], s["y"]) + added * current
        spikes = Spike.apply(after.imag - 1, 25, True)
        resets = spikes.detach() if detach else spikes
        return spikes, {"x": after.real * (1 - resets), "y": after.imag - resets * (after.imag - 1)}

    def theirs(w):
        """Brian2 solves no linear equations that turn; SciPy's step with the current held does."""
        b, omega = -w["damping"], w["frequency"] * (2 * numpy.pi / 1000)
        steps = [cont2discrete((numpy.array([[p, -o], [o, p]]), numpy.array([[1.0], [0.0]]), numpy.eye(2),
                                numpy.zeros((2, 1))), h)[:2] for p, o in zip(b, omega)]

        def run(current, step, substeps):
            batch, time, neurons = current.shape
            z, counts = numpy.zeros((batch, neurons, 2)), numpy.zeros(current.shape)
            for t in range(time):
                for _ in range(substeps):
                    for n, (turn, gain) in enumerate(steps):
                        z[:, n] = z[:, n] @ turn.T + current[:, t, n, None] * gain[:, 0]
                    fires = z[:, :, 1] > 1
                    counts[:, t] += fires
                    z[fires] = (0, 1)
            return counts, {"x": z[:, :, 0], "y": z[:, :, 1]}
        return run
    return ours, theirs, {"x": 0.0, "y": 0.0}


RECOVERY = {"v": "potential", "u": "recovery"}
case("izhikevich", *izhikevich(0.02, 0.2, -65.0, 8.0, 0.5), 10.0, 0.5, 2, RECOVERY, time=14, seed=1)
case("izhikevich chattering", *izhikevich(0.02, 0.2, -50.0, 2.0, 0.4, detach=False), 20.0, 0.4, 5, RECOVERY, time=7, seed=2)
ADAPTATION = {"v": "potential", "w": "adaptation"}
case("adex", *adex(0.1), 1000.0, 0.1, 10, ADAPTATION, time=14, seed=3, drive=1.2)
case("adex bursting", *adex(0.25, tau=20.0, a=6.0, reset=-48.0, detach=False), 1000.0, 0.25, 4, ADAPTATION, time=12,
     seed=4, drive=1.5)
GATES = {"v": "potential", "m": "activation", "h": "inactivation", "n": "rectifier"}
case("hodgkin-huxley", *hodgkin_huxley(0.05), 20.0, 0.05, 20, GATES, time=12, seed=5)
RESONANCE = {"x": "current", "y": "potential"}
case("resonate-and-fire", *resonate(1.0), 1.0, 1.0, 1, RESONANCE, time=15, seed=6,
     constants={"frequency": [10.0, 30.0, 100.0], "damping": [0.05, 0.02, 0.1]})
case("resonate-and-fire fine", *resonate(0.5, detach=False), 1.0, 0.5, 4, RESONANCE, time=10, seed=7,
     constants={"frequency": [20.0, 50.0, 80.0], "damping": [0.01, 0.05, 0.03]})
tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
save_file(tensors, pathlib.Path(__file__).with_name("point-neurons.safetensors"))
print(len(tensors), "tensors")
