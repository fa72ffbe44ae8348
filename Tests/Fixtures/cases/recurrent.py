"""Recurrent cells over whole sequences of one length or of many, and leaky integrate-and-fire neurons."""

import math

import torch
from torch import nn

from golden import operation


def cell(module, gates):
    """nn.RNN, nn.GRU or nn.LSTM on [batch, time, inputs] as a function of all its tensors. With lengths
    rows are packed by PyTorch, and `reverse` is the second direction of a bidirectional network. Results
    are one tensor: the states, the last h, and the last c of an LSTM as one or two more steps."""

    def function(reverse, lengths, options, *tensors):
        x, h, *rest = tensors
        c = rest.pop(0) if gates == 4 else None
        network = module(x.shape[2], h.shape[1], batch_first=True, bidirectional=reverse,
                         **options).double()
        names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
        weights = dict(zip(names, rest))
        # The forward direction, where only the other is wanted, gets the same weights and no cotangent.
        if reverse:
            weights |= {name + "_reverse": value for name, value in weights.items()}
        directions = 2 if reverse else 1
        start = torch.stack([h] * directions)
        if c is not None:
            start = (start, torch.stack([c] * directions))
        if lengths is None:
            packed = x
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False)
        states, last = torch.func.functional_call(network, weights, (packed, start))
        if lengths is not None:
            states, _ = nn.utils.rnn.pad_packed_sequence(states, True, total_length=x.shape[1])
        last = last if c is not None else (last,)
        ends = [one[-1][:, None] for one in last]
        return torch.cat([states[:, :, -h.shape[1]:], *ends], 1)

    return function


def recurrent(name, module, gates):
    function = cell(module, gates)

    @operation(name)
    def describe(g):
        def case(label, batch, time, inputs, hidden, reverse=False, layouts=None, scale=0.4,
                 lengths=None, **options):
            tensors = {"x": g.normal(batch, time, inputs), "0 h": g.normal(batch, hidden)}
            if gates == 4:
                tensors["1 c"] = g.normal(batch, hidden)
            tensors["2 w"] = g.normal(gates * hidden, inputs, scale=scale)
            tensors["3 u"] = g.normal(gates * hidden, hidden, scale=scale)
            tensors["4 b"] = g.normal(gates * hidden)
            tensors["5 d"] = g.normal(gates * hidden)
            g.case(label, lambda *all: function(reverse, lengths, options, *all), tensors,
                   {"reverse": reverse, "lengths": lengths} | options, layouts)

        case("plain", 3, 5, 4, 6)
        case("reverse", 3, 5, 4, 6, reverse=True)
        case("one step", 2, 1, 3, 5)
        case("one step, reverse", 2, 1, 3, 5, reverse=True)
        case("one of everything", 1, 3, 1, 1)
        case("wide inputs", 2, 4, 17, 3)
        case("hidden beyond a vector", 2, 3, 5, 17)
        case("sharp gates", 2, 4, 3, 5, scale=2 if gates > 1 else 0.8)
        case("transposed", 3, 5, 4, 6, layouts={"x": "transposed", "2 w": "transposed",
             "3 u": "transposed"})
        case("sliced", 2, 3, 4, 5, reverse=True, layouts={"x": "sliced", "0 h": "sliced",
             "3 u": "sliced", "5 d": "sliced"})
        case("large", 5, 33, 7, 19, scale=0.2)
        for reverse in (False, True):
            way = ", reverse" if reverse else ""
            case("lengths" + way, 4, 6, 3, 5, reverse=reverse, lengths=[2, 6, 1, 4])
            case("lengths, none whole" + way, 3, 7, 3, 4, reverse=reverse, lengths=[3, 5, 3])
            case("one row, short" + way, 1, 4, 2, 3, reverse=reverse, lengths=[3])
            case("lengths, sliced" + way, 3, 5, 4, 6, reverse=reverse, lengths=[5, 2, 5],
                 layouts={"x": "sliced", "0 h": "transposed"})
            case("lengths, large" + way, 7, 21, 5, 19, reverse=reverse, scale=0.2,
                 lengths=[20, 3, 21, 1, 13, 13, 8])
        if gates == 1:
            case("relu", 3, 5, 4, 6, nonlinearity="relu")
            case("relu, lengths, reverse", 3, 6, 4, 17, reverse=True, lengths=[2, 6, 4], scale=0.2,
                 nonlinearity="relu")


recurrent("rnn", nn.RNN, 1)
recurrent("gru", nn.GRU, 3)
recurrent("lstm", nn.LSTM, 4)

SURROGATES = {
    "fastSigmoid": lambda x, k: 1 / (k * x.abs() + 1) ** 2,
    "arctangent": lambda x, k: k / 2 / (1 + (math.pi / 2 * k * x) ** 2),
    "triangle": lambda x, k: torch.clamp(1 - k * x.abs(), min=0),
    "sigmoid": lambda x, k: k * torch.exp(-k * x) / (torch.exp(-k * x) + 1) ** 2,
    "rectangle": lambda x, k: (x.abs() < k / 2).to(x.dtype) / k,
    "gaussian": lambda x, k: torch.exp(-0.5 * (x / k) ** 2) / (k * math.sqrt(2 * math.pi)),
    "straightThrough": lambda x, k: torch.ones_like(x),
}


def spike_of(surrogate, slope):
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            context.save_for_backward(x)
            return (x >= 0).to(x.dtype)

        @staticmethod
        def backward(context, g):
            return g * SURROGATES[surrogate](context.saved_tensors[0], slope)

    return Spike.apply


def fire(current, initial, leak, threshold, surrogate, slope, reset, detach):
    """Spikes, potentials and the last state as one tensor of 2 time + 1 steps."""
    spike = spike_of(surrogate, slope)
    v, spikes, potentials = initial, [], []
    for step in current:
        u = leak * v + step
        s = spike(u - threshold)
        resets = s.detach() if detach else s
        v = {"subtract": u - threshold * resets, "zero": u * (1 - resets), "none": u}[reset]
        spikes.append(s)
        potentials.append(u)
    # What float32 may round to the other side of the threshold would test nothing.
    distance = (torch.stack(potentials) - threshold).detach().abs()
    assert current.numel() == 0 or distance.min() > 1e-5, distance.min()
    fired = torch.stack(spikes).detach()
    assert current.numel() == 0 or 0 < fired.mean() < 1
    return torch.stack(spikes + potentials + [v])


@operation("leakyIntegrateAndFire")
def leaky_integrate_and_fire(g):
    def case(label, shape, surrogate="fastSigmoid", slope=25.0, reset="subtract", detach=True,
             threshold=1.0, leaks=None, layouts=None):
        stated = {"threshold": threshold, "surrogate": surrogate, "slope": slope, "reset": reset,
                  "detach": detach}
        count = shape[-1]
        leak = g.uniform(0.5, 0.95, count) if leaks == "each" else g.uniform(0.8, 0.95)
        g.case(label, lambda current, initial, leak: fire(current, initial, leak, **stated),
               {"current": g.normal(*shape, scale=0.7) + 0.3,
                "initial": g.normal(*shape[1:], scale=0.5), "leak": leak}, stated, layouts)

    case("plain", (7, 3, 5))
    case("leak of each neuron", (7, 3, 5), leaks="each")
    case("one step", (1, 3, 7), leaks="each")
    case("no batch", (9, 11))
    case("two batch axes", (5, 2, 3, 4), leaks="each")
    for reset in ("subtract", "zero", "none"):
        for detach in (True, False):
            case(f"reset {reset}, {'detached' if detach else 'attached'}", (8, 2, 19), slope=2.0,
                 reset=reset, detach=detach, leaks="each", threshold=0.75)
    for surrogate, slope in [("arctangent", 2.0), ("triangle", 0.7), ("sigmoid", 5.0),
                             ("straightThrough", 1.0), ("fastSigmoid", 10.0)]:
        case(f"surrogate {surrogate}", (6, 2, 17), surrogate, slope, detach=False)
    case("transposed", (7, 3, 5), layouts={"current": "transposed", "initial": "transposed"})
    case("sliced", (7, 3, 5), leaks="each", layouts={"current": "sliced", "initial": "sliced",
         "leak": "sliced"})
    case("empty batch", (4, 0, 3))
    case("large", (11, 3, 43), slope=3.0, leaks="each")
    for surrogate, slope in [("rectangle", 1.3), ("gaussian", 0.6)]:
        case(f"surrogate {surrogate}", (6, 2, 17), surrogate, slope, detach=False)


@operation("sparseLinear")
def sparse_linear(g):
    """The numbers of a dense linear map; a tenth of x is not 0 unless stated."""

    def case(label, x, outputs, bias=True, chance=0.1, layouts=None):
        values = g.normal(*x) * g.booleans(*x, chance=chance).float()
        inputs = {"x": values, "weight": g.normal(outputs, x[-1], scale=0.4)}
        if bias:
            inputs["bias"] = g.normal(outputs)
        g.case(label, nn.functional.linear, inputs, layouts=layouts)

    case("plain", (5, 29), 33)
    case("without bias", (9, 23), 40, False)
    case("time and batch", (4, 3, 17), 67)
    case("narrow, so dense", (9, 23), 7)
    case("too full, so dense", (7, 13), 35, chance=0.9)
    case("nothing", (7, 13), 35, chance=0)
    case("one row", (19,), 64)
    case("empty batch", (0, 5), 33)
    case("transposed", (8, 21), 33, layouts={"x": "transposed", "weight": "transposed"})
    case("sliced", (8, 21), 129, layouts={"x": "sliced", "weight": "sliced", "bias": "sliced"})
    case("more than one block of rows", (1027, 3), 32, chance=0.05)
