"""Scaled dot-product attention on q, k, v [batch, heads, tokens, width]."""

import torch
from torch.nn import functional as F

from golden import operation


def attend(q, k, v, mask=None, causal=False, scale=None):
    """Written out. Boolean masks say what is seen; causal is aligned at the lower right: the last
    query sees every key. A query that sees nothing gives zeros and passes no gradient."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = q @ k.transpose(-1, -2) * scale
    queries, keys = scores.shape[-2:]
    seen = torch.ones(queries, keys, dtype=torch.bool)
    if causal:
        seen = seen.tril(keys - queries)
    if mask is not None and mask.dtype == torch.bool:
        seen = seen & mask
    elif mask is not None:
        scores = scores + mask
    seen = seen.expand(scores.shape)
    blind = ~seen.any(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(~seen & ~blind, float("-inf")), -1)
    output = weights.masked_fill(blind, 0) @ v
    if not blind.any() and not (causal and queries != keys) and not (causal and mask is not None):
        expected = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=scale)
        assert torch.allclose(output, expected, rtol=1e-10, atol=1e-12)
    return output


@operation("scaledDotProductAttention")
def attention(g):
    def case(label, q, keys, value_width=None, mask=None, layouts=None, **arguments):
        batch, heads, _, width = q
        inputs = {"q": g.normal(*q), "k": g.normal(batch, heads, keys, width),
                  "v": g.normal(batch, heads, keys, value_width or width)}
        if mask is not None:
            inputs["mask"] = mask
        stated = {"causal": False, "scale": None, **arguments}
        g.case(label, lambda q, k, v, mask=None: attend(q, k, v, mask, **stated), inputs, stated,
               layouts)

    case("plain", (2, 3, 7, 8), 7)
    case("odd widths", (2, 2, 13, 7), 13)
    case("cross", (1, 2, 5, 8), 17)
    case("other value width", (2, 1, 5, 7), 9, 3)
    case("scale", (1, 2, 5, 8), 5, scale=0.9)
    case("one token", (2, 2, 1, 5), 1)
    case("one query", (2, 2, 1, 8), 17)
    case("one key", (2, 2, 5, 8), 1)
    case("width one", (1, 2, 7, 1), 7)
    case("large scores", (1, 1, 7, 8), 7, scale=12.0)
    case("causal", (2, 3, 9, 8), 9, causal=True)
    case("causal, odd", (1, 2, 17, 5), 17, causal=True, scale=0.5)
    case("causal, more keys", (1, 2, 5, 8), 9, causal=True)
    case("causal, one query", (2, 1, 1, 8), 9, causal=True)
    case("causal, more queries: first ones blind", (1, 2, 9, 8), 5, causal=True)
    case("additive mask", (2, 3, 7, 8), 9, mask=g.normal(2, 3, 7, 9))
    case("additive mask broadcast", (2, 3, 7, 8), 9, mask=g.normal(7, 9))
    case("additive mask per head", (2, 3, 5, 8), 5, mask=g.normal(1, 3, 5, 5))
    case("additive mask per key", (2, 3, 5, 8), 7, mask=g.normal(2, 1, 1, 7))
    case("additive mask hides", (1, 2, 5, 8), 5, mask=-1e9 * g.booleans(5, 5, chance=0.4).float())
    case("additive mask and causal", (1, 2, 7, 8), 7, mask=g.normal(2, 7, 7), causal=True)
    # The first key is always seen, so no query is blind.
    some = g.booleans(7, 9, chance=0.6)
    some[:, 0] = True
    case("boolean mask broadcast", (2, 3, 7, 8), 9, mask=some)
    per_key = g.booleans(2, 1, 1, 9, chance=0.6)
    per_key[..., 3] = True
    case("boolean mask per key", (2, 3, 7, 8), 9, mask=per_key)
    whole = g.booleans(2, 2, 5, 5, chance=0.6) | torch.eye(5, dtype=torch.bool)
    case("boolean mask and causal", (2, 2, 5, 4), 5, mask=whole, causal=True)
    blind = g.booleans(1, 2, 7, 5, chance=0.6)
    blind[:, :, 2] = False
    blind[:, 1, 5:] = False
    case("boolean mask, blind rows", (1, 2, 7, 8), 5, mask=blind)
    case("boolean mask, all blind", (1, 1, 3, 4), 5, mask=torch.zeros(3, 5, dtype=torch.bool))
    case("empty batch", (0, 2, 5, 4), 5)
    case("no queries", (2, 2, 0, 4), 5)
    case("transposed", (2, 2, 7, 8), 9, layouts={"q": "transposed", "k": "transposed",
         "v": "transposed"})
    case("sliced", (2, 2, 7, 8), 9, causal=True, layouts={"q": "sliced", "k": "sliced",
         "v": "sliced"})
    case("large", (1, 2, 49, 16), 49)
    case("large causal", (1, 2, 65, 8), 65, causal=True)
    g.case("keys shared by the batch", attend, {
        "q": g.normal(3, 2, 5, 4), "k": (g.normal(1, 2, 7, 4), 3), "v": (g.normal(1, 2, 7, 4), 3)},
        {"causal": False, "scale": None}, {"k": "expanded:0", "v": "expanded:0"})


@operation("attentionBias")
def attention_bias(g):
    """The same with something added to the scores that has a derivative."""
    def case(label, q, keys, bias, mask=None, layouts=None, causal=False):
        batch, heads, _, width = q
        inputs = {"q": g.normal(*q), "k": g.normal(batch, heads, keys, width),
                  "v": g.normal(batch, heads, keys, 3), "bias": g.normal(*bias)}
        if mask is not None:
            inputs["mask"] = mask

        def call(q, k, v, bias, mask=None):
            scores = q @ k.transpose(-1, -2) * width ** -0.5 + bias
            seen = torch.ones(scores.shape, dtype=torch.bool)
            if causal:
                seen = seen.tril(keys - q.shape[2])
            if mask is not None:
                seen = seen & mask
            blind = ~seen.any(-1, keepdim=True)
            weights = torch.softmax(scores.masked_fill(~seen & ~blind, float("-inf")), -1)
            return weights.masked_fill(blind, 0) @ v

        g.case(label, call, inputs, {"causal": causal}, layouts)

    case("whole", (2, 3, 5, 4), 7, (2, 3, 5, 7))
    case("of heads", (2, 3, 5, 4), 5, (3, 5, 5))
    case("of keys", (2, 2, 5, 4), 7, (7,))
    case("of all heads", (2, 2, 5, 4), 7, (2, 1, 5, 7))
    case("causal", (1, 2, 6, 4), 9, (6, 9), causal=True)
    case("blind rows", (1, 2, 4, 3), 5, (4, 5), mask=g.booleans(1, 2, 4, 1).expand(1, 2, 4, 5).contiguous())
    case("sliced", (2, 2, 5, 4), 5, (2, 2, 5, 5), layouts={"bias": "sliced", "q": "sliced"})
    case("empty batch", (0, 2, 3, 4), 5, (3, 5))


@operation("softmaxWhere")
def softmax_where(g):
    for label, shape, axis, seen, layout in [
            ("rows", (5, 7), -1, (5, 7), "contiguous"), ("columns", (5, 7), 0, (5, 7), "transposed"),
            ("broadcast", (3, 4, 6), 2, (4, 6), "contiguous"), ("middle", (3, 4, 6), 1, (3, 4, 1), "sliced"),
            ("vector", (9,), 0, (9,), "contiguous"), ("empty", (0, 3), 1, (0, 3), "contiguous"),
            ("large", (33, 65), 1, (33, 65), "contiguous")]:
        mask = g.booleans(*seen, chance=0.6)
        if label in ("rows", "large"):
            mask[1] = False

        def call(x, mask):
            mask = mask.expand(x.shape)
            blind = ~mask.any(axis, keepdim=True)
            return torch.softmax(x.masked_fill(~mask & ~blind, float("-inf")), axis).masked_fill(blind, 0)

        g.case(label, call, {"x": g.normal(*shape), "mask": mask}, {"axis": axis}, {"x": layout})
