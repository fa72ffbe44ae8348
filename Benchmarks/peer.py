"""The PyTorch side of the benchmark: a worker that times the workloads it is told to.

Reads one JSON command per line on standard input and answers each with one JSON line:

    {"workload": "softmax", "mode": "eager"|"compile", "steps": 5, "warmup": 3}
    -> {"milliseconds": [of each step], "peak_mb": 812.5}    or    {"error": "..."}
    {"workload": "delta_rule_curve", "at": 4096, ...the same}    a point of a curve
    {"measure": "memory", ...the same}    adds "start_mb", the memory before the workload was made
    {"workload": "hlop_step", "measure": "compared"}    -> {"compared": [numbers that both sides find]}
    {"measure": "versions"}     -> {"versions": {...}}
    {"measure": "copy_rate"}    -> {"gigabytes_per_second": of reading and writing 64 MB tensors}

Written as a PyTorch user would write it: channels first, nn modules, the fused Adam. Data is made
once per workload. A step is forward, backward and update for the `_step` workloads, forward and
backward for `_fwd_bwd`, forward alone for `matmul_1024`, `softmax`, `svd_128` and `topk_1m`;
`small_ops` is forward and backward too. Needs torch and numpy.
"""

import json
import os
import platform
import statistics
import sys
import time

THREADS = int(os.environ.get("CALLOSUM_BENCH_THREADS", "2"))
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
# The compiler works in this process: helpers of its own would run beside the measurement.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import torch
from torch import nn
from torch.nn import functional as F

import patterns
from recurrences import (
    delta_rule, delta_rule_in_chunks, linear_attention_in_chunks, recurrence, selective_inputs,
    selective_scan, sequence)
from steps import MODES, Function, fastest, forward_backward, forward_only, training
from systems import CURVES as SYSTEM_CURVES, SYSTEMS


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.projection(y.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads, causal=False):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixer = Attention(width, heads, causal)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, width=128, heads=4, depth=4, patch=4, tokens=49):
        super().__init__()
        self.embed = nn.Conv2d(1, width, patch, stride=patch)
        self.positions = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, images):
        x = self.embed(images).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(x)).mean(1))


class CharacterModel(nn.Module):
    def __init__(self, vocabulary=96, context=256, width=128, heads=4, depth=4):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(context, width) * 0.02)
        self.blocks = nn.Sequential(*[Block(width, heads, causal=True) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, characters):
        return self.head(self.norm(self.blocks(self.embed(characters) + self.positions)))


class Sampling(nn.Module):
    """Bilinear sampling at places that are learned."""

    def __init__(self, places):
        super().__init__()
        self.places = nn.Parameter(places)

    def forward(self, x):
        return F.grid_sample(x, self.places, align_corners=False)


class LongConvolution(nn.Module):
    """A causal convolution of each channel with a kernel as long as the sequence."""

    def __init__(self, channels, length):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(channels, length))

    def forward(self, x):
        length = x.shape[-1]
        spectrum = torch.fft.rfft(x, n=2 * length) * torch.fft.rfft(self.kernel, n=2 * length)
        return torch.fft.irfft(spectrum, n=2 * length)[..., :length]


def convolutional_network():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))


class FastSigmoidSpike(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(context, g):
        (x,) = context.saved_tensors
        return g / (25 * x.abs() + 1) ** 2


class SpikingNetwork(nn.Module):
    """Leaky integrate-and-fire neurons in a time loop; the projections are outside the loop."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(784, 512), nn.Linear(512, 10)

    def fire(self, currents):
        v, spikes = torch.zeros_like(currents[0]), []
        for current in currents:
            u = 0.9 * v + current
            s = FastSigmoidSpike.apply(u - 1)
            v = u - s.detach()
            spikes.append(s)
        return torch.stack(spikes)

    def forward(self, x):
        return self.fire(self.second(self.fire(self.first(x)))).sum(0)


class LastState(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell(64, 128, batch_first=True)
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class SplineLayer(nn.Module):
    """A Kolmogorov-Arnold layer as in efficient-kan: silu and cubic splines on 8 intervals."""

    def __init__(self, inputs, outputs, intervals=8, degree=3):
        super().__init__()
        self.degree = degree
        self.base = nn.Parameter(torch.randn(outputs, inputs) * 0.1)
        self.splines = nn.Parameter(torch.randn(outputs, inputs * (intervals + degree)) * 0.1)
        self.register_buffer("knots", -1 + 2 / intervals * torch.arange(
            -degree, intervals + degree + 1, dtype=torch.float32))

    def basis(self, x):
        x, knots = x.unsqueeze(-1), self.knots
        basis = ((x >= knots[:-1]) & (x < knots[1:])).to(x.dtype)
        for p in range(1, self.degree + 1):
            left, right = knots[:-p - 1], knots[p + 1:]
            basis = ((x - left) / (knots[p:-1] - left) * basis[..., :-1]
                     + (right - x) / (right - knots[1:-p]) * basis[..., 1:])
        return basis

    def forward(self, x):
        return F.linear(F.silu(x), self.base) + F.linear(self.basis(x).flatten(1), self.splines)


def perceptron(*widths):
    layers = [layer for pair in zip(widths, widths[1:]) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


class OctaveField(nn.Module):
    """A network of coordinates, seen as sin and cos of 6 octaves."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", torch.pi * 2.0 ** torch.arange(6))
        self.head = perceptron(24, 128, 128, 128, 3)

    def forward(self, x):
        angles = x.unsqueeze(-1) * self.frequencies
        return self.head(torch.cat([angles.sin(), angles.cos()], -1).flatten(1))


class HashGridField(nn.Module):
    """Multiresolution hash encoding, all levels and corners at once, and a small network."""

    def __init__(self, levels=16, entries=2**14, features=2):
        super().__init__()
        self.entries, self.features = entries, features
        self.table = nn.Parameter(torch.empty(levels * entries, features).uniform_(-1e-4, 1e-4))
        self.head = perceptron(levels * features, 64, 64, 3)
        resolutions = (16 * 2 ** (torch.arange(levels) / 3)).floor().long()
        sides = resolutions + 1
        dense = sides**3 <= entries
        factors = torch.stack([torch.ones_like(sides), sides, sides**2], -1)
        factors[~dense] = torch.tensor([1, 2654435761, 805459861])
        self.register_buffer("resolutions", resolutions.float().view(-1, 1))
        self.register_buffer("dense", dense.view(-1, 1))
        self.register_buffer("factors", factors.view(levels, 1, 3))
        self.register_buffer("start", (torch.arange(levels) * entries).view(-1, 1))
        corners = torch.tensor([[c >> axis & 1 for axis in range(3)] for c in range(8)])
        self.register_buffer("corners", corners)

    def forward(self, x):
        place = x.unsqueeze(1) * self.resolutions
        base = place.detach().floor()
        share = (place - base).unsqueeze(2)
        terms = (base.long().unsqueeze(2) + self.corners) * self.factors
        a, b, c = terms.unbind(-1)
        row = torch.where(self.dense, a + b + c, a ^ b ^ c) % self.entries + self.start
        weight = torch.where(self.corners.bool(), share, 1 - share).prod(-1, keepdim=True)
        return self.head((F.embedding(row, self.table) * weight).sum(2).flatten(1))


class HyperNetwork(nn.Module):
    """Makes the weights of 16 perceptrons 64-64-10, each from its own embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(16, 32))
        self.body = perceptron(32, 64, 64 * 64 + 64 + 64 * 10 + 10)

    def forward(self, x):
        a, b, c, d = self.body(self.embedding).split([64 * 64, 64, 64 * 10, 10], 1)
        hidden = F.relu(torch.baddbmm(b.view(16, 1, 64), x, a.view(16, 64, 64)))
        return torch.baddbmm(d.view(16, 1, 10), hidden, c.view(16, 64, 10))


class SmallOperations(nn.Module):
    """200 elementwise operations, each on the result of the one before."""

    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.randn(64))
        self.register_buffer("b", torch.randn(64))

    def forward(self, x):
        for _ in range(50):
            x = torch.tanh(x * self.a + self.b) - self.a
        return x


def labels(*shape, classes=10):
    return torch.randint(classes, shape)


def spiking(rate):
    return training(SpikingNetwork(), (torch.rand(100, 64, 784) < rate).float(), labels(64))


def graph(compressed):
    """The graph of sparse_matmul_fwd_bwd, and numbers for its nodes; PyTorch has two forms of it."""
    nodes, edges = 20_000, 200_000
    places = torch.stack([patterns.labels(edges, below=nodes, stream=stream) for stream in (1, 2)])
    values = patterns.pattern(edges, stream=3)
    matrix = torch.sparse_coo_tensor(places, values, (nodes, nodes)).coalesce()
    matrix = matrix.to_sparse_csr() if compressed else matrix
    return forward_backward(
        Function(torch.sparse.mm), (matrix, patterns.pattern(nodes, 64, stream=4)),
        torch.randn(nodes, 64))


WORKLOADS = {
    "matmul_1024": lambda: forward_only(
        torch.matmul, torch.randn(1024, 1024), torch.randn(1024, 1024)),
    "softmax": lambda: forward_only(
        lambda x: torch.softmax(x, -1), torch.randn(64, 256, 256)),
    "layernorm_fwd_bwd": lambda: forward_backward(
        nn.LayerNorm(256), torch.randn(64, 256, 256), torch.randn(64, 256, 256)),
    "conv3x3_fwd_bwd": lambda: forward_backward(
        nn.Conv2d(32, 64, 3, padding=1), torch.randn(32, 32, 32, 32), torch.randn(32, 64, 32, 32)),
    "depthwise7x7_fwd_bwd": lambda: forward_backward(
        nn.Conv2d(64, 64, 7, padding=3, groups=64), torch.randn(32, 64, 28, 28),
        torch.randn(32, 64, 28, 28)),
    "depthwise3x3_stride2_fwd_bwd": lambda: forward_backward(
        nn.Conv2d(64, 64, 3, stride=2, padding=1, groups=64), torch.randn(32, 64, 28, 28),
        torch.randn(32, 64, 14, 14)),
    "conv3d_fwd_bwd": lambda: forward_backward(
        nn.Conv3d(16, 32, 3, padding=1), torch.randn(4, 16, 16, 16, 16),
        torch.randn(4, 32, 16, 16, 16)),
    "conv_transposed_fwd_bwd": lambda: forward_backward(
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), torch.randn(16, 64, 16, 16),
        torch.randn(16, 32, 32, 32)),
    "grid_sample_fwd_bwd": lambda: forward_backward(
        Sampling(torch.rand(8, 64, 64, 2) * 2 - 1), torch.randn(8, 32, 64, 64),
        torch.randn(8, 32, 64, 64)),
    "fft_conv_fwd_bwd": lambda: forward_backward(
        LongConvolution(64, 2048), torch.randn(8, 64, 2048), torch.randn(8, 64, 2048)),
    "sparse_matmul_fwd_bwd": lambda: fastest(graph(compressed=True), graph(compressed=False)),
    "svd_128": lambda: forward_only(
        lambda x: torch.linalg.svd(x, full_matrices=False), torch.randn(8, 128, 128)),
    "topk_1m": lambda: forward_only(lambda x: torch.topk(x, 128), torch.randn(1 << 20)),
    "small_ops": lambda: forward_backward(SmallOperations(), torch.randn(64), torch.randn(64)),
    "mlp_step": lambda: training(
        nn.Sequential(nn.Linear(784, 256), nn.GELU(), nn.Linear(256, 10)),
        torch.rand(128, 784), labels(128)),
    "vit_tiny_step": lambda: training(
        VisionTransformer(), torch.rand(64, 1, 28, 28), labels(64)),
    "char_lm_step": lambda: training(
        CharacterModel(), labels(16, 256, classes=96), labels(16, 256, classes=96)),
    "convnet_step": lambda: training(
        convolutional_network(), torch.rand(128, 1, 28, 28), labels(128)),
    "linear_recurrence_fwd_bwd": lambda: forward_backward(
        Function(recurrence), torch.rand(2, 8, 2048, 128), torch.randn(8, 2048, 128)),
    "cumulative_sum_fwd_bwd": lambda: forward_backward(
        Function(lambda x: x.cumsum(1)), torch.randn(256, 16384), torch.randn(256, 16384)),
    "lif_snn_step": lambda: spiking(0.1),
    "kan_step": lambda: training(
        nn.Sequential(SplineLayer(64, 64), SplineLayer(64, 10)), torch.rand(256, 64) * 2 - 1,
        labels(256)),
    "field_step": lambda: training(
        OctaveField(), torch.rand(8192, 2), torch.rand(8192, 3), F.mse_loss),
    "hash_grid_step": lambda: training(
        HashGridField(), torch.rand(16384, 3), torch.rand(16384, 3), F.mse_loss),
    "hypernet_step": lambda: training(HyperNetwork(), torch.randn(16, 32, 64), labels(16, 32)),
    "gru_step": lambda: training(LastState(nn.GRU), torch.randn(32, 128, 64), labels(32)),
    "lstm_step": lambda: training(LastState(nn.LSTM), torch.randn(32, 128, 64), labels(32)),
    "delta_rule_fwd_bwd": lambda: fastest(*[forward_backward(
        Function(form), sequence(4, 4, 512, 32)[:4], torch.randn(4, 4, 512, 32))
        for form in (delta_rule_in_chunks, delta_rule)]),
    "selective_scan_fwd_bwd": lambda: forward_backward(
        Function(selective_scan), selective_inputs(2, 1024, 128, 16), torch.randn(2, 1024, 128)),
} | {name: one.make for name, one in SYSTEMS.items()}


def curve(function, inputs, steps):
    """Forward and backward of `function` of some of the tensors of a sequence of 4 heads."""
    data = sequence(1, 4, steps, 32)
    return forward_backward(
        Function(function), tuple(data[i] for i in inputs), torch.randn(1, 4, steps, 32))


CURVES = {
    "delta_rule_curve": lambda at: curve(delta_rule_in_chunks, (0, 1, 2, 3), at),
    "linear_attention_curve": lambda at: curve(linear_attention_in_chunks, (0, 1, 2), at),
    "gated_linear_attention_curve": lambda at: curve(linear_attention_in_chunks, (0, 1, 2, 4), at),
    "lif_rate_curve": spiking,
} | {name: make for name, (_, make) in SYSTEM_CURVES.items() if make}
# Loops over many steps in Python: the compiler unrolls them, and takes many minutes. Or NumPy.
EAGER_ONLY = {"lif_snn_step", "linear_recurrence_fwd_bwd", "selective_scan_fwd_bwd"} | {
    name for name, system in SYSTEMS.items() if not system.compiles}


def resident_peak():
    """The most memory this process has held, in MB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def copy_rate():
    source = torch.randn(16 << 20)
    target = torch.empty_like(source)
    times = []
    for _ in range(15):
        start = time.perf_counter()
        target.copy_(source)
        times.append(time.perf_counter() - start)
    return 2 * source.nbytes / statistics.median(times) / 1e9


class Worker:
    """Keeps the steps of the last workload: its data and its compiled code are made once."""

    def __init__(self):
        self.name, self.steps = None, {}

    def step(self, name, mode, at):
        if (name, at) != self.name:
            self.name, self.steps = (name, at), {}
        if mode not in self.steps:
            if mode == "compile" and name in EAGER_ONLY:
                raise ValueError("NumPy, or a loop that the compiler unrolls for many minutes")
            torch.manual_seed(0)
            make = WORKLOADS[name]() if at is None else CURVES[name](at)
            self.steps[mode] = make(MODES[mode])
        return self.steps[mode]

    def answer(self, command):
        measure = command.get("measure", "time")
        if measure == "versions":
            return {"versions": {"torch": torch.__version__, "python": platform.python_version()}}
        if measure == "copy_rate":
            return {"gigabytes_per_second": copy_rate()}
        if measure == "compared":
            return {"compared": SYSTEMS[command["workload"]].compared()}
        start_mb = resident_peak()
        step = self.step(command["workload"], command.get("mode", "eager"), command.get("at"))
        for _ in range(command["warmup"]):
            step()
        milliseconds = []
        for _ in range(command["steps"]):
            start = time.perf_counter()
            step()
            milliseconds.append((time.perf_counter() - start) * 1e3)
        answer = {"milliseconds": milliseconds, "peak_mb": resident_peak()}
        return {**answer, "start_mb": start_mb} if measure == "memory" else answer


def main():
    torch.set_num_threads(THREADS)
    worker = Worker()
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:  # A workload that fails is an answer; the worker lives on.
            text = str(error).strip() or "no reason given"
            kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
            answer = {"error": kind + text.splitlines()[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
