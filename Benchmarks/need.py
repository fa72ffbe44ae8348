"""What a workload needs at least, whoever computes it, and how often the benchmark steps it."""

import dataclasses


@dataclasses.dataclass
class Need:
    steps: int  # in each round
    gflop: float  # multiplications and additions of products and convolutions, in 10^9
    megabytes: float  # that must pass through memory once nothing stays in the caches
    limit: str  # what bounds it, in words


def training_bytes(parameters, kept):
    """Adam reads four numbers and writes three per parameter, whose gradient is written before;
    each kept activation is written, read by the next operation and again on the way back, where
    its gradient is written and read."""
    return 4 * (8 * parameters + 5 * kept) / 1e6


def transformer(batch, tokens, width, depth, inputs, outputs, embedding, seen=1.0):
    """Gflop and bytes of a training step. `seen` is the share of the scores that a mask leaves;
    `embedding` the multiply-accumulates per token of the first layer, which needs no gradient of
    its input; `outputs` those of the head over the whole batch."""
    rows = batch * tokens
    dense = 12 * width * width * depth * rows
    scores = 2 * tokens * seen * width * depth * rows
    gflop = 2 * (3 * (dense + scores + outputs) + 2 * embedding * rows) / 1e9
    parameters = depth * (12 * width * width + 13 * width) + tokens * width + inputs * width
    return gflop, training_bytes(parameters, rows * width * (16 * depth + 2))
