"""Losses. Classes are the last axis; `reduction` is mean, sum or none."""

import torch
from torch.nn import functional as F

from golden import operation


@operation("crossEntropy")
def cross_entropy(g):
    def case(label, shape, reduction="mean", smoothing=0.0, ignored=None, layout="contiguous",
             labels=None, scale=2.0):
        classes = shape[-1]
        labels = g.integers(0, classes, *shape[:-1]) if labels is None else labels
        if ignored is not None:
            hidden = g.booleans(*labels.shape, chance=0.4)
            hidden.view(-1)[0], hidden.view(-1)[-1] = True, False
            labels = torch.where(hidden, torch.tensor(ignored, dtype=torch.int32), labels)

        def function(x, labels):
            loss = F.cross_entropy(
                x.reshape(-1, classes), labels.reshape(-1), reduction=reduction,
                label_smoothing=smoothing, ignore_index=-100 if ignored is None else ignored)
            return loss.reshape(labels.shape) if reduction == "none" else loss

        g.case(label, function, {"logits": g.normal(*shape, scale=scale), "labels": labels},
               {"reduction": reduction, "labelSmoothing": smoothing, "ignoredLabel": ignored},
               {"logits": layout})

    case("mean", (9, 7))
    case("sum", (9, 7), "sum")
    case("none", (9, 7), "none")
    case("one row", (1, 13))
    case("one class", (5, 1), "sum")
    case("tokens", (3, 7, 5))
    case("tokens, none", (3, 7, 5), "none")
    case("rank four", (2, 3, 5, 4), "sum")
    case("smoothing", (9, 7), smoothing=0.1)
    case("smoothing, sum", (9, 7), "sum", smoothing=0.3)
    case("smoothing, none", (3, 5, 7), "none", smoothing=0.2)
    case("ignored", (13, 7), ignored=-100)
    case("ignored class", (17, 5), ignored=0)
    case("ignored, sum", (13, 7), "sum", ignored=-1)
    case("ignored, none", (3, 5, 7), "none", ignored=-1)
    case("ignored and smoothing", (13, 7), smoothing=0.1, ignored=-1)
    case("ignored and smoothing, none", (13, 7), "none", smoothing=0.1, ignored=-1)
    case("all ignored, sum", (5, 7), "sum", ignored=-1, labels=torch.full((5,), -1,
         dtype=torch.int32))
    case("empty batch, sum", (0, 7), "sum")
    case("empty batch, none", (0, 7), "none")
    case("large logits", (7, 9), scale=80.0)
    case("transposed", (9, 7), layout="transposed")
    case("sliced", (9, 7), layout="sliced", smoothing=0.1)
    case("large", (65, 33))
    g.case("expanded", F.cross_entropy, {
        "logits": (g.normal(1, 5), 4), "labels": g.integers(0, 5, 4)},
        {"reduction": "mean", "labelSmoothing": 0.0, "ignoredLabel": None},
            {"logits": "expanded:0"})


def pairwise(name, function, first, second, options=({},), names=("prediction", "target")):
    """A loss of a prediction and a target of the same shape; `options` are tried in turn."""

    @operation(name)
    def describe(g):
        for index, option in enumerate(options):
            rows = [
                ("mean", (7, 13), "mean", ()), ("sum", (7, 13), "sum", ()),
                ("none", (7, 13), "none", ()),
                ("vector", (17,), "mean", ()), ("rank four", (2, 1, 5, 3), "mean", ()),
                ("empty, sum", (0, 5), "sum", ()), ("empty, none", (0, 5), "none", ()),
                ("transposed", (7, 13), "mean", ("transposed", "transposed")),
                ("sliced", (5, 11), "none", ("sliced", "transposed")),
                ("large", (45, 47), "mean", ())]
            for label, shape, reduction, layouts in rows if index == 0 else rows[:3] + rows[-1:]:
                values = dict(zip(names, (first(g, *shape), second(g, *shape))))
                suffix = "".join(f", {key} {value:g}" for key, value in option.items())
                g.case(label + suffix, lambda a, b: function(a, b, reduction=reduction, **option),
                       values, {"reduction": reduction, **option}, dict(zip(names, layouts)))
            if index == 0:
                g.case("expanded target", lambda a, b: function(a, b, reduction="mean", **option), {
                    names[0]: first(g, 4, 7), names[1]: (second(g, 1, 7), 4)},
                    {"reduction": "mean", **option}, {names[1]: "expanded:0"})


def normal(g, *shape):
    return g.normal(*shape, scale=1.5)


def probability(g, *shape):
    return g.uniform(0.02, 0.98, *shape)


def distribution(g, *shape):
    return torch.softmax(g.normal(*shape), -1)


def log_distribution(g, *shape):
    return torch.log_softmax(g.normal(*shape), -1)


pairwise("meanSquaredError", F.mse_loss, normal, normal)
pairwise("l1", F.l1_loss, normal, normal)
pairwise("huber", F.huber_loss, normal, normal, ({"delta": 1.0}, {"delta": 2.0}))
# Logits up to about 30, where exp of the wrong sign would cost all accuracy.
pairwise("binaryCrossEntropyWithLogits", F.binary_cross_entropy_with_logits,
         lambda g, *shape: g.normal(*shape, scale=8), probability)


def rate(g, *shape):
    return g.uniform(0.01, 8, *shape)


def count(g, *shape):
    return g.integers(0, 7, *shape).float()


def poisson(rates, counts, reduction):
    return F.poisson_nll_loss(rates, counts, log_input=False, reduction=reduction)


pairwise("poisson", poisson, rate, count)


@operation("klDivergence")
def kl_divergence(g):
    """The first input holds log-probabilities; `batchMean` divides the sum by the rows, `mean` by
    the elements; with `logTarget` the target holds log-probabilities too."""

    def case(label, shape, reduction, log_target=False, layouts=None, target=None, gradients=True):
        if target is None:
            target = (log_distribution if log_target else distribution)(g, *shape)
        torch_reduction = "batchmean" if reduction == "batchMean" else reduction
        g.case(label, lambda a, b: F.kl_div(a, b, reduction=torch_reduction, log_target=log_target),
               {"prediction": log_distribution(g, *shape), "target": target},
               {"reduction": reduction, "logTarget": log_target}, layouts, gradients)

    case("batch mean", (7, 13), "batchMean")
    case("mean", (7, 13), "mean")
    case("sum", (7, 13), "sum")
    case("none", (7, 13), "none")
    case("log target", (7, 13), "batchMean", True)
    case("log target, none", (3, 5, 7), "none", True)
    case("one row", (1, 17), "batchMean")
    case("empty, sum", (0, 5), "sum")
    case("transposed", (9, 7), "sum", layouts={"prediction": "transposed", "target": "transposed"})
    case("sliced", (5, 11), "none", layouts={"prediction": "sliced"})
    case("large", (33, 65), "batchMean")
    case("target with zeros", (2, 3), "none", target=torch.tensor([[0.0, 0.25, 0.75], [1.0, 0.0,
         0.0]]),
         gradients=False)
