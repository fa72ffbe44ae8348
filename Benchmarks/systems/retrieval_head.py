"""Scores of retrieval heads in 128 prompts."""

import torch

from need import Need
from patterns import labels, pattern
from system import System

VOCABULARY = 48


def scores(weights, tokens, needle, written):
    """Weights [batch, layers, heads, steps, keys]; tokens and needle [batch, keys]; written [batch,
    steps]. The needle has as many places in every prompt."""
    batch, layers, heads, steps, _ = weights.shape
    looked = weights.argmax(-1).flatten(1)
    hit = (needle.gather(1, looked) > 0).view(batch, layers, heads, steps)
    copied = tokens.gather(1, looked).view(batch, layers, heads, steps)
    copied = hit & (copied == written[:, None, None])
    earlier = torch.tril(written[:, :, None] == written[:, None], -1)
    repeated = (copied[..., None, :] & earlier[:, None, None]).any(-1)
    wanted = tokens[needle > 0].view(batch, -1)

    def counts(x):
        found = torch.zeros(batch, VOCABULARY)
        return found.scatter_add_(1, x, torch.ones_like(x, dtype=found.dtype))

    there, here = counts(wanted), counts(written)
    share = (copied & ~repeated).sum(-1) / (there > 0).sum(1).view(-1, 1, 1)
    return share, torch.minimum(there, here).sum(1) / wanted.shape[1]


class Scores:
    def __init__(self):
        self.tokens = labels(128, 64, below=VOCABULARY, stream=1)
        place = torch.arange(64)
        self.needle = ((place >= 20) & (place < 24)).long().expand(128, 64)
        errors = labels(128, 4, below=5, stream=2) == 0
        self.written = torch.where(errors, 0, self.tokens[:, 20:24])
        weights = pattern(128, 2, 8, 4, 64, stream=3) * 0.25 + 0.25
        looked = labels(128, 2, 8, 4, below=12, stream=4).unsqueeze(-1) + 20
        self.weights = torch.where(place == looked, 1.0, weights)

    def __call__(self, compiled):
        call = compiled(scores)

        def step():
            with torch.no_grad():
                call(self.weights, self.tokens, self.needle, self.written)

        return step

    def compared(self):
        return [float(x.sum()) for x in scores(self.weights, self.tokens, self.needle, self.written)]


WORKLOADS = {
    "retrieval_head_scores": System(
        Scores, lambda: Scores().compared(),
        Need(
            20, 0, 4 * 128 * 16 * 4 * 64 / 1e6, "bytes: one reading of the attention weights")),
}
