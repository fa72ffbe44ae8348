"""Writes lif.safetensors: leaky integrate-and-fire neurons of snnTorch and SpikingJelly, and the adaptive ones of
Bellec et al. (2018) as their equations say, in float64.

    pip install torch==2.13.0 snntorch==1.0.0 spikingjelly==2.0.0 safetensors
    python lif.py
"""

import pathlib

import snntorch
import torch
from safetensors.torch import save_file
from snntorch import surrogate as snn_surrogate
from spikingjelly.activation_based import neuron as jelly, surrogate as jelly_surrogate

torch.set_default_dtype(torch.float64)
# snnTorch makes its spikes float32.
torch.Tensor.float = torch.Tensor.double
tensors = {}
# How near potentials come to their thresholds: far enough that rounding makes no spike.
nearest = 1.0


def draw(generator, *shape, scale=1.0):
    return scale * torch.randn(*shape, generator=generator)


def case(name, run, *, batch=3, time=11, width=5, neurons=4, seed=0, recurrent=False, bias=True, **constants):
    """`run` gets currents of one step [batch, neurons], weights by name, and what it kept, None at first; it gives
    the spikes, what it keeps, the distance from the threshold, and the last states by name."""
    global nearest
    generator = torch.Generator().manual_seed(seed)
    x = draw(generator, batch, time, width)
    weights = {"weights.weight": draw(generator, neurons, width, scale=0.5)}
    if bias:
        weights["weights.bias"] = draw(generator, neurons, scale=0.1) + 0.2
    if recurrent:
        weights["recurrent.weight"] = draw(generator, neurons, neurons, scale=0.4)
    for key, value in constants.items():
        weights[f"neurons.{key}"] = torch.as_tensor(value, dtype=torch.float64)
    for one in [x, *weights.values()]:
        one.requires_grad_()
    kept, spikes, states = None, [], {}
    heard = torch.zeros(batch, neurons)
    for t in range(time):
        current = torch.nn.functional.linear(x[:, t], weights["weights.weight"], weights.get("weights.bias"))
        if recurrent:
            current = current + heard @ weights["recurrent.weight"].T
        heard, kept, distance, states = run(current, weights, kept)
        nearest = min(nearest, distance.detach().abs().min().item())
        spikes.append(heard)
    y = torch.stack(spikes, 1)
    if recurrent:
        states = states | {"spikes": heard}
    cotangent = draw(generator, *y.shape)
    (y * cotangent).sum().backward()
    assert 0.1 < y.mean() < 0.9, (name, y.mean())
    prefix = "lif." if name.startswith("alif") else ""
    tensors.update({f"{name}.x": x, f"{name}.y": y, f"{name}.cotangent.y": cotangent, f"{name}.gradient.x": x.grad})
    tensors.update({f"{name}.state.{key}": value for key, value in states.items()})
    for key, value in weights.items():
        tensors[f"{name}.weight.{prefix}{key}"] = value
        tensors[f"{name}.gradient.{prefix}{key}"] = value.grad


def leaky(reset, spike_grad):
    def run(current, w, kept):
        cell, mem = kept or (
            snntorch.Leaky(beta=0.5, reset_mechanism=reset, spike_grad=spike_grad), torch.zeros_like(current))
        cell.beta, cell.threshold = w["neurons.leak"], w["neurons.threshold"]
        spikes, mem = cell(current, mem)
        # Ours is what the reset leaves where it is to 0, which the package works out in the next step.
        states = {"potential": mem, "fired": spikes} if reset == "subtract" else {"potential": mem * (1 - spikes)}
        return spikes, (cell, mem), mem - w["neurons.threshold"], states
    return run


def synaptic(current, w, kept):
    cell, syn, mem = kept or (
        snntorch.Synaptic(alpha=0.5, beta=0.5, spike_grad=snn_surrogate.atan(alpha=2.0)),
        torch.zeros_like(current), torch.zeros_like(current))
    cell.alpha, cell.beta, cell.threshold = (w[f"neurons.{key}"] for key in ("synapseLeak", "leak", "threshold"))
    spikes, syn, mem = cell(current, syn, mem)
    return spikes, (cell, syn, mem), mem - w["neurons.threshold"], {"potential": mem, "current": syn, "fired": spikes}


def lif_node(hard, decay_input, detach, surrogate, leak, threshold):
    """The package's node; for derivatives by its constants another whose constants are tensors, which must do the
    same."""

    class Tensors(jelly.SimpleLIFNode):
        def neuronal_charge(self, x):
            self.v = self.v + (x - self.v) / self.tau if decay_input else self.v - self.v / self.tau + x
            self.distance = self.v - self.v_threshold

    def make(kind):
        return kind(tau=1 / (1 - leak), decay_input=decay_input, v_threshold=threshold, v_reset=0.0 if hard else None,
                    surrogate_function=surrogate, detach_reset=detach)

    def run(current, w, kept):
        node, plain = kept or (make(Tensors), make(jelly.LIFNode))
        node.tau, node.v_threshold = 1 / (1 - w["neurons.leak"]), w["neurons.threshold"]
        spikes = node(current)
        with torch.no_grad():
            assert torch.equal(plain(current), spikes) and torch.allclose(plain.v, node.v, atol=1e-12)
        return spikes, (node, plain), node.distance, {"potential": node.v}
    return run


class Spike(torch.autograd.Function):
    """H(x) with gamma max(0, 1 - |x|) (Bellec et al. 2018, equation 4)."""

    @staticmethod
    def forward(ctx, x, gamma):
        ctx.save_for_backward(x)
        ctx.gamma = gamma
        return (x > 0).to(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * ctx.gamma * torch.clamp(1 - x.abs(), min=0), None


def adaptive(refractory, scales):
    """Equations 1 to 3 of the paper, with the refractory time of its methods; their threshold is `threshold`."""

    def run(current, w, kept):
        zero = torch.zeros_like(current)
        v, a, z, waits = kept or (zero, zero, zero, zero)
        leak, threshold = w["neurons.leak"], w["neurons.threshold"] + w["neurons.jump"] * a
        v = leak * v + ((1 - leak) * current if scales else current) - threshold * z.detach()
        z = torch.where(waits > 0, zero, Spike.apply(v - threshold, 0.3))
        a = w["neurons.keep"] * a + z
        waits = torch.where(z > 0, float(refractory) + zero, torch.clamp(waits - 1, min=0)).detach()
        states = {"potential": v, "adaptation": a, "fired": z, "recovery": waits}
        return z, (v, a, z, waits), v - threshold, states
    return run


case("snntorch subtract", leaky("subtract", snn_surrogate.fast_sigmoid(slope=25)), leak=0.8, threshold=0.5, seed=1)
case("snntorch zero", leaky("zero", snn_surrogate.sigmoid(slope=5)), leak=[0.8, 0.6, 0.9, 0.7],
     threshold=[0.5, 0.4, 0.6, 0.3], seed=2, bias=False)
case("snntorch synaptic", synaptic, leak=0.7, threshold=0.6, synapseLeak=0.5, seed=3, width=3)
case("snntorch recurrent", leaky("subtract", snn_surrogate.fast_sigmoid(slope=10)), leak=0.8, threshold=0.5, seed=4,
     recurrent=True)
case("spikingjelly", lif_node(True, True, False, jelly_surrogate.Sigmoid(alpha=4.0), 0.5, 0.2), leak=0.5, threshold=0.2,
     seed=5)
case("spikingjelly soft", lif_node(False, False, True, jelly_surrogate.ATan(alpha=2.0), 0.6, 0.7), leak=0.6,
     threshold=0.7, seed=6)
case("alif", adaptive(2, True), leak=0.8, threshold=0.05, keep=0.9, jump=0.04, seed=7, recurrent=True, time=17)
case("alif each", adaptive(0, False), leak=[0.8, 0.6, 0.9, 0.7], threshold=[0.2, 0.3, 0.1, 0.2],
     keep=[0.9, 0.8, 0.95, 0.7], jump=[0.3, 0.2, 0.5, 0.4], seed=8, time=13)
assert nearest > 1e-5, nearest
tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
save_file(tensors, pathlib.Path(__file__).with_name("lif.safetensors"))
print(len(tensors), "tensors, nearest", nearest)
