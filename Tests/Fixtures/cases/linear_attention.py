"""Causal linear attention as the plain recurrence over its state, step by step."""

import torch

from golden import operation


def recur(q, k, v, state, scale, decay=None, beta=None):
    """Outputs and the last state as one tensor, joined along time: [batch, heads, time + key width,
    value width]. `decay` is the logarithm, [batch, heads, time] or [..., key width]."""
    outputs = []
    for t in range(q.shape[2]):
        if decay is not None:
            now = decay[:, :, t].exp()
            state = (now[..., None] if now.dim() == 3 else now[..., None, None]) * state
        written = v[:, :, t]
        if beta is not None:
            recalled = torch.einsum("bhk,bhkv->bhv", k[:, :, t], state)
            written = beta[:, :, t, None] * (written - recalled)
        state = state + torch.einsum("bhk,bhv->bhkv", k[:, :, t], written)
        outputs.append(scale * torch.einsum("bhk,bhkv->bhv", q[:, :, t], state))
    joined = torch.stack(outputs, 2) if outputs else v[:, :, :0] * 1
    return torch.cat([joined, state], 2)


def logarithms(g, *shape, strength):
    """Logarithms of decays: mild ones remember for 1 / strength steps."""
    return -g.uniform(0, 2 * strength, *shape)


def describe(g, delta):
    def case(label, batch, heads, time, keys, values, gate=None, strength=0.2, decay=None, scale=None,
             layouts=None):
        lengths = g.normal(batch, heads, time, keys)
        k = lengths / lengths.norm(dim=-1, keepdim=True) if delta else lengths
        inputs = {"0 q": g.normal(batch, heads, time, keys), "1 k": k,
                  "2 v": g.normal(batch, heads, time, values),
                  "3 state": g.normal(batch, heads, keys, values)}
        if gate:
            shape = (batch, heads, time) + ((keys,) if gate == "channels" else ())
            inputs["4 decay"] = logarithms(g, *shape, strength=strength) if decay is None else decay
        if delta:
            inputs["5 beta"] = g.uniform(0, 1, batch, heads, time)
        names = list(inputs)

        def function(*tensors):
            x = dict(zip(names, tensors))
            return recur(x["0 q"], x["1 k"], x["2 v"], x["3 state"], scale or keys ** -0.5,
                         x.get("4 decay"), x.get("5 beta"))

        g.case(label, function, inputs, {"scale": scale}, layouts)

    for gate in (None, "heads", "channels"):
        kind = {None: "", "heads": ", gated", "channels": ", gated channels"}[gate]
        case("chunk and a piece" + kind, 2, 2, 21, 5, 3, gate)
        case("one step" + kind, 2, 1, 1, 4, 6, gate)
        case("one of everything" + kind, 1, 1, 1, 1, 1, gate)
        case("whole chunks" + kind, 1, 2, 48, 3, 2, gate)
        case("widths beyond a vector" + kind, 1, 2, 19, 33, 17, gate)
        case("no steps" + kind, 2, 1, 0, 3, 4, gate)
        case("states kept apart" + kind, 1, 1, 71, 18, 19, gate, scale=0.7)
        case("transposed" + kind, 2, 2, 18, 5, 4, gate,
             layouts={name: "transposed" for name in ("0 q", "1 k", "2 v", "3 state")})
        sliced = {name: "sliced" for name in ("0 q", "1 k", "2 v", "3 state")}
        if gate:
            sliced["4 decay"] = "sliced"
        case("sliced" + kind, 2, 2, 5, 3, 4, gate, layouts=sliced)
    case("no batch", 0, 2, 3, 4, 5)
    for gate in ("heads", "channels"):
        case(f"strong decay of {gate}", 1, 2, 37, 6, 5, gate, strength=40)
        shape = (1, 2, 37) + ((6,) if gate == "channels" else ())
        resets = -100 * g.booleans(*shape, chance=0.1).float() - g.uniform(0, 0.1, *shape)
        case(f"resets of {gate}", 1, 2, 37, 6, 5, gate, decay=resets)


@operation("linearAttention")
def linear_attention(g):
    describe(g, delta=False)


@operation("deltaRule")
def delta_rule(g):
    describe(g, delta=True)
