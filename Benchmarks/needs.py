"""What each workload needs: those of the engine stand here, those of a system beside it."""

from need import Need, training_bytes, transformer
from systems import SYSTEMS

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

ALL = NEEDS | {name: system.need for name, system in SYSTEMS.items()}
