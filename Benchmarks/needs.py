"""What each workload needs at least, whoever computes it, and how often the benchmark steps it."""

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


VIT = transformer(64, 49, 128, 4, inputs=16, outputs=64 * 128 * 10, embedding=16 * 128)
CHAR = transformer(16, 256, 128, 4, inputs=2 * 96, outputs=16 * 256 * 128 * 96, embedding=0,
                   seen=257 / 512)
IMAGE_64 = 4 * 64 * 256 * 256 / 1e6
CONVNET = 2 * 128 * (2 * 784 * 9 * 32 + 3 * (196 * 288 * 64 + 3136 * 128 + 1280)) / 1e9
NEEDS = {
    "matmul_1024": Need(10, 2 * 1024**3 / 1e9, 3 * 4 * 1024**2 / 1e6,
                        "arithmetic: one product, which also sets the product rate"),
    "softmax": Need(15, 0, 2 * IMAGE_64, "bytes: one reading and one writing; exp hides behind"),
    "layernorm_fwd_bwd": Need(15, 0, 5 * IMAGE_64,
                              "bytes: x in, y out; x and its cotangent in, gradient out"),
    "conv3x3_fwd_bwd": Need(
        5, 3 * 2 * 32 * 1024 * 9 * 32 * 64 / 1e9, 4 * (3 * 2**20 + 3 * 2**21) / 1e6,
        "arithmetic: three products over 288 x 64 (both sides may run oneDNN here)"),
    "depthwise7x7_fwd_bwd": Need(
        5, 3 * 2 * 32 * 64 * 784 * 49 / 1e9, 5 * 4 * 32 * 64 * 784 / 1e6,
        "arithmetic without reuse between channels: fused multiply-adds fed from the first cache"),
    "depthwise3x3_stride2_fwd_bwd": Need(
        15, 3 * 2 * 32 * 64 * 196 * 9 / 1e9, 4 * 32 * 64 * (3 * 784 + 3 * 196) / 1e6,
        "bytes: x in twice, its gradient out; y out, its cotangent in twice"),
    "conv3d_fwd_bwd": Need(
        5, 3 * 2 * 4 * 4096 * 27 * 16 * 32 / 1e9, 4 * 4 * 4096 * (3 * 16 + 3 * 32) / 1e6,
        "arithmetic: three products over 432 x 32 (both sides may run oneDNN here)"),
    "conv_transposed_fwd_bwd": Need(
        5, 3 * 2 * 16 * 256 * 16 * 64 * 32 / 1e9, 4 * 16 * (3 * 256 * 64 + 3 * 1024 * 32) / 1e6,
        "arithmetic: three products over 512 x 64 (both sides may run oneDNN here)"),
    "grid_sample_fwd_bwd": Need(
        10, 10 * 2 * 8 * 4096 * 32 / 1e9, 4 * 8 * 4096 * (3 * 32 + 2 * 32) / 1e6,
        "finding the four neighbours of each place, each way, and spreading gradients over them"),
    "fft_conv_fwd_bwd": Need(
        10, 1472 * 5 * 4096 * 12 / 1e9, 4 * 5 * 8 * 64 * 2048 / 1e6,
        "arithmetic: 1472 complex transforms of 4096, two real rows in each"),
    "sparse_matmul_fwd_bwd": Need(
        10, 3 * 2 * 200_000 * 64 / 1e9, 4 * (4 * 20_000 * 64 + 6 * 200_000) / 1e6,
        "200,000 rows of 64 numbers in 5 MB each way, none of them a neighbour of the last"),
    "svd_128": Need(
        10, 8 * 21 * 128**3 / 1e9, 4 * 8 * 4 * 128 * 128 / 1e6,
        "arithmetic: 21 n³ for each matrix, by Golub and Van Loan's count"),
    "topk_1m": Need(15, 0, 4 * 2**20 / 1e6, "bytes: one reading; few elements pass the bound"),
    "small_ops": Need(40, 0, 0, "the fixed cost of 200 small operations, each way"),
    "mlp_step": Need(
        40, 2 * 128 * (2 * 784 * 256 + 3 * 2560) / 1e9,
        training_bytes(203530, 128 * (256 * 2 + 10)),
        "arithmetic, close to the fixed cost of some twenty calls; all of it fits the caches"),
    "vit_tiny_step": Need(
        5, *VIT, "arithmetic of the products; then GELU, norms and residuals over 3,136 tokens"),
    "char_lm_step": Need(
        5, *CHAR, "arithmetic of the products (causal half of the scores counted); then "
        "exp of the scores, GELU and norms over 4,096 tokens"),
    "convnet_step": Need(
        5, CONVNET, training_bytes(421642, 128 * (784 * 32 * 5 // 4 + 196 * 64 * 5 // 4 + 138)),
        "arithmetic of the second convolution and bytes of the first, whose one input channel "
        "makes it all output"),
    "kan_step": Need(
        20, 2 * 256 * 12 * (2 * 64 * 64 + 3 * 64 * 10) / 1e9,
        training_bytes(12 * 64 * 74, 256 * 64 * 2 * 12),
        "arithmetic of products 256 x 704 x 64 and the splines; all of it fits the caches"),
    "field_step": Need(
        10, 2 * 8192 * (2 * 24 * 128 + 3 * (2 * 128 * 128 + 128 * 3)) / 1e9,
        training_bytes(36611, 8192 * (24 + 3 * 128 + 3)),
        "arithmetic of the hidden layers; the ReLUs through memory"),
    "hash_grid_step": Need(
        5, 2 * 16384 * (3 * (32 * 64 + 64 * 64 + 64 * 3) + 2 * 16 * 8 * 2) / 1e9,
        training_bytes(530915, 16384 * (32 + 2 * 64 + 3)),
        "2 million look-ups of two numbers in 2 MB each way, none of them a neighbour of the last"),
    "hypernet_step": Need(
        20, 2 * (3 * 16 * (32 * 64 + 64 * 4810) + 16 * 32 * (2 * 64 * 64 + 3 * 64 * 10)) / 1e9,
        training_bytes(315274, 16 * (64 + 4810 + 32 * 74)),
        "arithmetic, and Adam over the 308,000 weights that make weights"),
    "linear_recurrence_fwd_bwd": Need(
        10, 0, 4 * 8 * 2048 * 128 * 8 / 1e6,
        "bytes: a, b in, h out; a, h and the cotangent in, two gradients out"),
    "cumulative_sum_fwd_bwd": Need(10, 0, 4 * 4 * 256 * 16384 / 1e6, "bytes: in and out, twice"),
    "lif_snn_step": Need(
        5, 2 * 6400 * (2 * 0.1 * 784 * 512 + 3 * 5120) / 1e9,
        training_bytes(407050, 6400 * (2 * 512 + 2 * 10)),
        "arithmetic of the first projection and of its weight gradient, for the tenth of the "
        "inputs that spikes; then the potentials of 512 neurons through memory"),
    "gru_step": Need(
        10, 2 * 3 * 4096 * 384 * (64 * 2 / 3 + 128) / 1e9,
        training_bytes(75786, 4096 * (384 + 2 * 128)),
        "128 small products one after the other, each way, each too small for two cores"),
    "lstm_step": Need(
        10, 2 * 3 * 4096 * 512 * (64 * 2 / 3 + 128) / 1e9,
        training_bytes(100618, 4096 * (512 + 2 * 128)),
        "128 small products one after the other, each way, each too small for two cores"),
    "delta_rule_fwd_bwd": Need(
        10, 2 * 16 * 512 * (4608 + 10240) / 1e9, 4 * 16 * 512 * (4 * 32 + 6 * 32 + 2 * 32) / 1e6,
        "arithmetic of products of 16 to 32 rows, in chunks of 16 steps that follow each other"),
    "selective_scan_fwd_bwd": Need(
        10, 0, 4 * 2 * 1024 * (2 * 128 * 5 + 2 * 16 * 3) / 1e6,
        "exp of 4 million numbers, each way: states are computed again instead of kept; some twenty "
        "vector operations each beside it"),
}


@dataclasses.dataclass
class SystemNeed(Need):
    # How far the sides may be apart in what they compute, as a share; more where they draw noise.
    apart: float = 1e-3


def poolformer(widths, depths, sides):
    """Multiply-accumulates of an image through the stages behind the stem, and activations kept."""
    products = kept = 0
    for before, width, depth, side in zip([0, *widths], widths, depths, sides):
        products += side * side * (9 * before * width + depth * 8 * width * width)
        kept += side * side * width * (1 + depth * 13)
    return products, kept


S12 = poolformer([64, 128, 320, 512], [2, 2, 6, 2], [56, 28, 14, 7])
SYSTEMS = {
    "metaformer_step": SystemNeed(
        20, 2 * 490 * (2 * 49 * 32 + 12 * 2 * 32 * 128) / 1e9,
        training_bytes(37_200, 490 * 32 * (1 + 4 * 13)),
        "the fixed cost of some 80 operations on 16,000 numbers, each way; all of it fits the caches"),
    "poolformer_s12_step": SystemNeed(
        2, 2 * (2 * 3136 * 147 * 64 + 3 * (S12[0] + 512 * 1000)) / 1e9,
        training_bytes(11_915_176, S12[1]),
        "arithmetic of the channel networks, and Adam over 11.9 million weights for one image"),
    "delta_net_step": SystemNeed(
        5, 2 * 2048 * (3 * (256 * 768 + 256 * 4 + 256 * 256) + 4 * (15_360 + 34_816)) / 1e9,
        training_bytes(266_304, 2048 * 256 * 16),
        "arithmetic: the maps of the tokens, and products of 16 and 64 rows in chunks that follow "
        "each other"),
    "modern_hopfield_step": SystemNeed(
        10, 2 * 3 * 2048 * (4 * 64 * 64 + 2 * 64 * 64) / 1e9,
        training_bytes(17_024, 2048 * 64 * 9),
        "arithmetic of the four maps and the scores; norms over 2,048 tokens"),
    "titans_step": SystemNeed(
        5, 2 * 3 * 2048 * (32 * 96 + 11 * 32 * 32 + 8 * 8 * 32) / 1e9,
        training_bytes(5_600, 2048 * 32 * 40),
        "the fixed cost of 16 chunks that follow each other, some 60 operations each, each way"),
    "calibrated_hallucination_step": SystemNeed(
        20, 2 * 3 * 1088 * (384 * 160 + 128 * 28) / 1e9, training_bytes(66_716, 1088 * 128 * 8),
        "17 small products one after the other, each way"),
    "elm_neuron_step": SystemNeed(
        10, 2 * 4000 * (2 * 1278 * 45 + 3 * (45 * 40 + 2 * 20 * 40 + 2 * 20)) / 1e9,
        4 * 4000 * 1278 * 2 / 1e6 + training_bytes(8_002, 4000 * (45 * 2 + 40 + 20 * 2)),
        "bytes and arithmetic of 4,000 x 1,278 inputs, seen twice; then 500 small steps each way"),
    "hlop_step": SystemNeed(
        10, 2 * (64 * 784 * (2 * 200 + 4 * 80 + 15 * 70)
                 + 384 * 200 * (3 * 200 + 4 * 50 + 15 * 18)) / 1e9,
        training_bytes(198_800, 384 * 200 * 6),
        "arithmetic of thin products: lateral weights learn in five rounds on every batch"),
    "noprop_step": SystemNeed(
        10, 2 * 10 * 128 * (2 * 784 * 128 + 3 * (10 + 128 + 256 + 10) * 128) / 1e9,
        training_bytes(1_530_000, 128 * 10 * 128 * 5),
        "arithmetic of ten blocks, and Adam over 1.5 million weights", apart=0.1),
    "critical_periods_linear_step": SystemNeed(
        40, 2 * 3 * 2 * 32 * (32 * 8 + 15 * 8) / 1e9, 0,
        "the fixed cost of some ten small operations, each way"),
    "mgno_step": SystemNeed(
        10, 2 * 3 * 8 * 16_771_024 / 1e9, training_bytes(114_827, 8 * 267_696),
        "54 convolutions of 16 channels on grids of 32 x 32 to 4 x 4, too thin to fill the multipliers, each "
        "way; the fixed cost of each on the coarse ones"),
    "bilateral_motor_step": SystemNeed(
        3, 2 * 3 * 50 * 64 * 2 * (16 * 5 + 25 + 30) / 1e9, 0,
        "the fixed cost of 50 steps of some 150 operations on small tensors, each way"),
    "ncap_generation": SystemNeed(
        2, 2 * 500 * 33 * (2 * 36 * 2 + 2 * 6 * 64 + 2 * 512 + 171) / 1e9, 0,
        "the fixed cost of 500 steps of some 70 operations on 33 swimmers, of which NumPy has as many, as "
        "cheap as ours: nothing is recorded and there is nothing to fuse"),
    "mds_clustering_ascent": SystemNeed(
        5, 2 * 50 * 2 * 5 * 617_472 / 1e9, 0,
        "50 steps that follow each other, of some 20 operations on five images, each way; all of it fits the "
        "caches"),
    "topological_rsa": SystemNeed(
        5, 2 * 1770 * 5418 / 1e9, 4 * 60 * 5418 / 1e6,
        "sorting 1,770 dissimilarities and 60 rounds of shortest paths for each of five layers"),
    "retrieval_head_scores": SystemNeed(
        20, 0, 4 * 128 * 16 * 4 * 64 / 1e6, "bytes: one reading of the attention weights"),
}
ALL = NEEDS | SYSTEMS
