"""The selective scan of Mamba step by step, as its equations say and as `selective_scan_ref` of
state-spaces/mamba computes them, with time before channels."""

import torch
from torch.nn import functional as F

from golden import operation


def scan(x, delta, a, b, c, state, d=None, bias=None, z=None, softplus=False):
    """Outputs and the last state as one tensor: [batch, time + states, channels]."""
    if bias is not None:
        delta = delta + bias
    if softplus:
        delta = F.softplus(delta, threshold=1e9)
    if b.dim() == 4:
        each = x.shape[2] // b.shape[2]
        b, c = (one.repeat_interleave(each, 2) for one in (b, c))
    else:
        b, c = (one[:, :, None].expand(-1, -1, x.shape[2], -1) for one in (b, c))
    outputs = []
    for t in range(x.shape[1]):
        step = delta[:, t, :, None]
        state = torch.exp(step * a) * state + step * b[:, t] * x[:, t, :, None]
        y = (state * c[:, t]).sum(-1)
        outputs.append(y if d is None else y + d * x[:, t])
    joined = torch.stack(outputs, 1) if outputs else x * 1
    if z is not None:
        joined = joined * F.silu(z)
    return torch.cat([joined, state.transpose(1, 2)], 1)


@operation("selectiveScan")
def selective_scan(g):
    def case(label, batch, time, channels, states, groups=None, skip=True, bias=True, gate=True,
             softplus=True, layouts=None, decay=(0.1, 2)):
        shared = (batch, time) + ((groups,) if groups else ()) + (states,)
        inputs = {
            "0 x": g.normal(batch, time, channels),
            "1 delta": g.normal(batch, time, channels) if softplus
            else g.uniform(0.01, 0.5, batch, time, channels),
            "2 a": -g.uniform(*decay, channels, states),
            "3 b": g.normal(*shared), "4 c": g.normal(*shared),
            "5 state": g.normal(batch, channels, states)}
        if skip:
            inputs["6 d"] = g.normal(channels)
        if bias:
            inputs["7 bias"] = g.normal(channels, scale=0.5) - (1.0 if softplus else -1.5)
        if gate:
            inputs["8 z"] = g.normal(batch, time, channels)
        names = list(inputs)

        def function(*tensors):
            given = dict(zip(names, tensors))
            return scan(*tensors[:6], given.get("6 d"), given.get("7 bias"), given.get("8 z"), softplus)

        g.case(label, function, inputs, {"softplus": softplus}, layouts)

    case("plain", 2, 5, 6, 4, skip=False, bias=False, gate=False, softplus=False)
    case("all", 2, 5, 6, 4)
    case("one step", 2, 1, 3, 2)
    case("one of everything", 1, 3, 1, 1)
    case("no steps", 2, 0, 3, 2, gate=False)
    case("no batch", 0, 3, 4, 2)
    case("channels beyond a vector", 1, 4, 35, 3)
    case("more than a span of channels", 2, 3, 131, 2)
    case("chunks and a piece", 1, 53, 5, 3)
    case("more states than steps of a chunk", 1, 40, 3, 19)
    case("more states than the longest chunk", 1, 70, 2, 67, gate=False)
    case("groups", 2, 6, 12, 3, groups=3)
    case("groups beyond a span", 1, 4, 140, 2, groups=2, gate=False)
    case("one group", 2, 4, 5, 3, groups=1, skip=False)
    case("gate alone", 1, 7, 9, 4, skip=False, bias=False, softplus=False)
    case("skip alone", 1, 7, 9, 4, bias=False, gate=False, softplus=False)
    case("bias alone", 1, 7, 9, 4, skip=False, gate=False, softplus=False)
    case("softplus alone", 1, 7, 9, 4, skip=False, bias=False, gate=False)
    case("strong decay", 1, 19, 5, 4, decay=(4, 80))
    case("decay to nothing", 1, 19, 5, 4, decay=(40, 800))
    case("growth", 1, 9, 5, 4, decay=(-0.4, -0.02))
    case("transposed", 2, 18, 5, 4,
         layouts={name: "transposed" for name in ("0 x", "1 delta", "2 a", "3 b", "5 state", "8 z")})
    case("sliced", 2, 5, 6, 4, layouts={name: "sliced" for name in (
        "0 x", "1 delta", "2 a", "4 c", "5 state", "6 d", "7 bias", "8 z")})
