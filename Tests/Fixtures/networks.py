"""Writes networks/: layers and optimisers as PyTorch computes them, and a file by its safetensors package.

    pip install torch==2.13.0 numpy==2.4.6 safetensors==0.8.0      (the CPU build of torch will do)
    python networks.py

Everything is computed in float64 from float32 numbers and rounded once; a second run writes the
same bytes.
"""

import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from golden import write_safetensors

FOLDER = pathlib.Path(__file__).parent / "networks"


class Numbers:
    """A seeded source of float32 numbers, held in float64."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def normal(self, *shape, scale=1.0):
        return torch.from_numpy(
            np.asarray(self.random.standard_normal(shape) * scale, dtype=np.float32)).double()

    def integers(self, high, *shape):
        return torch.from_numpy(np.asarray(self.random.integers(0, high, shape), dtype=np.int32))

    def booleans(self, *shape):
        return torch.from_numpy(self.random.random(shape) < 0.5)


def stored(tensors):
    """Float64 becomes float32, all else stays."""
    return {name: (value.detach().float() if value.is_floating_point() else value.int()
                   if value.dtype == torch.int64 else value.detach()).contiguous()
            for name, value in tensors.items()}


class Layers:
    """Cases of layers: inputs, parameters under our names and in our shapes, output, gradients."""

    def __init__(self):
        self.numbers = Numbers(21)
        self.tensors = {}

    def case(self, name, function, inputs, parameters):
        """`function` is given the inputs, then the parameters, by position."""
        parameters = {key: self.numbers.normal(*shape, scale=0.5) for key, shape in parameters.items()}
        leaves = {key: value.clone().requires_grad_(value.is_floating_point())
                  for key, value in {**inputs, **parameters}.items()}
        output = function(*leaves.values())
        cotangent = self.numbers.normal(*output.shape)
        floats = {key: leaf for key, leaf in leaves.items() if leaf.is_floating_point()}
        gradients = torch.autograd.grad((output * cotangent).sum(), list(floats.values()))
        for group, members in (("input", inputs), ("parameter", parameters),
                               ("gradient", dict(zip(floats, gradients)))):
            for key, value in members.items():
                self.tensors[f"{name}/{group}/{key}"] = value
        self.tensors[f"{name}/output"] = output
        self.tensors[f"{name}/cotangent"] = cotangent


def attention(layers):
    width, heads = 12, 3

    def run(x, weight, bias, projection, projection_bias, mask=None):
        y, _ = F.multi_head_attention_forward(
            *[x.transpose(0, 1)] * 3, width, heads, weight, bias, None, None, False, 0.0, projection,
            projection_bias, need_weights=False, attn_mask=mask)
        return y.transpose(0, 1)

    shapes = {"qkv.weight": (3 * width, width), "qkv.bias": (3 * width,),
              "projection.weight": (width, width), "projection.bias": (width,)}
    without = {key: shape for key, shape in shapes.items() if "weight" in key}
    x = lambda: layers.numbers.normal(2, 5, width)
    layers.case("attention", run, {"x": x()}, shapes)
    later = torch.ones(5, 5).triu(1).bool()
    layers.case("attention, causal", lambda *a: run(*a, mask=later), {"x": x()}, shapes)
    layers.case("attention, no bias", lambda x, w, p: run(x, w, None, p, None), {"x": x()}, without)
    # Ours is true where a key is seen, PyTorch's where it is not. The mask differs from head to head.
    seen = layers.numbers.booleans(2, heads, 5, 5) | torch.eye(5).bool()
    layers.case("attention, mask", lambda x, seen, *p: run(x, *p, mask=~seen.reshape(-1, 5, 5)),
                {"x": x(), "seen": seen}, shapes)


def convolutions(layers):
    def conv2d(x, weight, bias=None, **options):
        y = F.conv2d(x.permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2), bias, **options)
        return y.permute(0, 2, 3, 1)

    def conv1d(x, weight, bias=None, **options):
        return F.conv1d(x.transpose(1, 2), weight.transpose(1, 2), bias, **options).transpose(1, 2)

    normal = layers.numbers.normal
    layers.case("conv2d", conv2d, {"x": normal(2, 7, 5, 3)}, {"weight": (4, 3, 2, 3), "bias": (4,)})
    layers.case("conv2d, options",
                lambda *a: conv2d(*a, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
                {"x": normal(1, 9, 8, 6)}, {"weight": (4, 3, 3, 3)})
    layers.case("conv1d", conv1d, {"x": normal(3, 11, 5)}, {"weight": (7, 3, 5), "bias": (7,)})
    layers.case("conv1d, options", lambda *a: conv1d(*a, stride=2, padding=3, dilation=2, groups=3),
                {"x": normal(1, 13, 6)}, {"weight": (3, 4, 2)})


def windows(layers):
    """After the others, whose numbers stay as they are. The modules of PyTorch, with our weights."""
    def module(made, x, weight, bias=None):
        made = made.double()
        # Ours is [outputs, kernel..., inputs / groups]; a transposed one there begins with inputs.
        if isinstance(made, nn.modules.conv._ConvTransposeNd):
            groups, outputs = made.groups, made.out_channels
            weight = weight.reshape(groups, outputs // groups, *weight.shape[1:]).movedim(-1, 1)
            weight = weight.reshape(made.weight.shape)
        else:
            weight = weight.movedim(-1, 1)
        values = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return torch.func.functional_call(made, values, x.movedim(-1, 1)).movedim(1, -1)

    def case(name, made, x, weight, bias=True):
        parameters = {"weight": weight, **({"bias": (weight[0],)} if bias else {})}
        layers.case(name, lambda *a: module(made, *a), {"x": layers.numbers.normal(*x)}, parameters)

    case("conv3d", nn.Conv3d(3, 4, (2, 3, 2)), (2, 4, 5, 3, 3), (4, 2, 3, 2, 3))
    case("conv3d, options", nn.Conv3d(4, 6, (3, 2, 3), (1, 2, 1), (1, 0, 2), (1, 2, 1), groups=2, bias=False),
         (1, 4, 5, 6, 4), (6, 3, 2, 3, 2), False)
    case("conv1d, circular", nn.Conv1d(3, 5, 4, padding=2, padding_mode="circular"), (2, 7, 3), (5, 4, 3))
    case("conv2d, reflect", nn.Conv2d(2, 3, (3, 5), (2, 1), (1, 2), padding_mode="reflect"), (2, 5, 6, 2),
         (3, 3, 5, 2))
    case("conv3d, replicate", nn.Conv3d(2, 3, 3, padding=(1, 2, 1), padding_mode="replicate"),
         (1, 3, 2, 4, 2), (3, 3, 3, 3, 2))
    case("convTransposed1d", nn.ConvTranspose1d(6, 4, 4, 3, 1, 2, groups=2), (2, 5, 6), (4, 4, 3))
    case("convTransposed2d", nn.ConvTranspose2d(3, 5, (3, 2), (2, 1), (1, 0), dilation=(1, 2)),
         (2, 4, 3, 3), (5, 3, 2, 3))
    case("convTransposed2d, options",
         nn.ConvTranspose2d(4, 4, (3, 3), (2, 2), (1, 1), (1, 1), groups=4, bias=False), (2, 4, 5, 4),
         (4, 3, 3, 1), False)
    case("convTransposed3d", nn.ConvTranspose3d(2, 3, (2, 3, 2), (2, 1, 2), (0, 1, 1), (1, 0, 0)),
         (1, 2, 3, 3, 2), (3, 2, 3, 2, 2))


def others(layers):
    normal = layers.numbers.normal
    layers.case("embedding", F.embedding, {"indices": layers.numbers.integers(4, 3, 5)},
                {"weight": (7, 3)})
    layers.case("linear", F.linear, {"x": normal(3, 1, 5)}, {"weight": (7, 5), "bias": (7,)})
    layers.case("mlp", lambda x, a, b, c, d: F.linear(F.gelu(F.linear(x, a, b)), c, d),
                {"x": normal(3, 5)},
                {"up.weight": (11, 5), "up.bias": (11,), "down.weight": (5, 11), "down.bias": (5,)})
    layers.case("layer norm", lambda x, w, b: F.layer_norm(x, (7,), w, b), {"x": normal(2, 3, 7)},
                {"weight": (7,), "bias": (7,)})
    layers.case("layer norm, no bias", lambda x, w: F.layer_norm(x, (7,), w, eps=1e-3),
                {"x": normal(5, 7)}, {"weight": (7,)})
    layers.case("rms norm", lambda x, w: F.rms_norm(x, (9,), w, eps=1e-5), {"x": normal(4, 9)},
                {"weight": (9,)})
    layers.case("group norm",
                lambda x, w, b: F.group_norm(x.movedim(-1, 1), 3, w, b).movedim(1, -1),
                {"x": normal(2, 3, 5, 6)}, {"weight": (6,), "bias": (6,)})


def recurrent(layers):
    """After the others, whose numbers stay as they are. Rows of different lengths, packed by PyTorch."""
    for name, module, gates in (("rnn", nn.RNN, 1), ("gru", nn.GRU, 3), ("lstm", nn.LSTM, 4)):
        network = module(3, 5, batch_first=True).double()

        def run(x, lengths, *values, network=network):
            weights = dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), values))
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths.long(), True, enforce_sorted=False)
            states, last = torch.func.functional_call(network, weights, (packed,))
            padded, _ = nn.utils.rnn.pad_packed_sequence(states, True, total_length=x.shape[1])
            last = last[0] if gates == 4 else last
            return torch.cat([padded, last.transpose(0, 1)], 1)

        lengths = torch.tensor([4, 1, 6], dtype=torch.int32)
        layers.case(name + ", lengths", run, {"x": layers.numbers.normal(3, 6, 3), "lengths": lengths}, {
            "inputWeight": (gates * 5, 3), "hiddenWeight": (gates * 5, 5), "inputBias": (gates * 5,),
            "hiddenBias": (gates * 5,)})


def rotary():
    """Rotary position embedding of sequences and of patches, by complex numbers."""
    numbers = Numbers(26)
    tensors = {}

    def turned(x, places, base):
        half = x.shape[-1] // 2
        speeds = base ** (-torch.arange(half).double() / half)
        turns = torch.polar(torch.ones(1).double(), places.double()[:, None] * speeds)
        y = torch.complex(x[..., :half], x[..., half:]) * turns
        return torch.cat([y.real, y.imag], -1)

    def case(name, function, *shape):
        x = numbers.normal(*shape).requires_grad_()
        y = function(x)
        cotangent = numbers.normal(*shape)
        gradient, = torch.autograd.grad((y * cotangent).sum(), x)
        tensors.update({f"{name}.x": x, f"{name}.y": y, f"{name}.cotangent": cotangent,
                        f"{name}.gradient": gradient})

    case("sequence", lambda x: turned(x, torch.arange(7), 10_000.0), 2, 3, 7, 10)
    case("later", lambda x: turned(x, torch.arange(5) + 300, 100.0), 5, 2)

    def patches(rows, columns, base):
        row = torch.arange(rows).repeat_interleave(columns)
        column = torch.arange(columns).repeat(rows)
        return lambda x: torch.cat([turned(half, place, base) for half, place in zip(
            x.chunk(2, -1), (row, column))], -1)

    for rows, columns, width in ((3, 5, 8), (1, 4, 4), (4, 1, 12), (1, 1, 4), (16, 9, 20)):
        case(f"{rows} x {columns}", patches(rows, columns, 100.0), 2, rows * columns, width)
    return tensors


def batch_norm():
    """Three steps of training, then evaluation; `momentum` is PyTorch's default."""
    numbers = Numbers(22)
    norm = nn.BatchNorm2d(5).double()
    with torch.no_grad():
        norm.weight.copy_(numbers.normal(5))
        norm.bias.copy_(numbers.normal(5))
    tensors = {"weight": norm.weight, "bias": norm.bias}
    for step in range(4):
        norm.train(step < 3)
        x = (numbers.normal(3, 2, 4, 5) * (step + 1) + step).float().double().requires_grad_()
        y = norm(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        cotangent = numbers.normal(*y.shape)
        found = torch.autograd.grad((y * cotangent).sum(), [x, norm.weight, norm.bias])
        tensors |= {f"{step}.x": x, f"{step}.y": y, f"{step}.cotangent": cotangent,
                    f"{step}.runningMean": norm.running_mean.clone(),
                    f"{step}.runningVariance": norm.running_var.clone()}
        tensors |= {f"{step}.gradient.{name}": g for name, g in zip(("x", "weight", "bias"), found)}
    return tensors


# One number, an axis of 1, no axis, more than a vector register, an empty tensor.
SHAPES = [(3, 5), (7,), (1,), (), (2, 1, 3, 4), (37,), (0, 4)]

OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd, decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.05),
    "sgd, momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "sgd, nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True,
                                               weight_decay=0.05),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam, options": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-3,
                                                weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "adamw, decay": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.3),
}


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al. 2023, in NumPy."""

    def __init__(self, parameters, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(parameters, {"lr": lr})
        self.betas, self.weight_decay = betas, weight_decay
        self.means = [np.zeros(p.shape) for p in self.param_groups[0]["params"]]

    @torch.no_grad()
    def step(self):
        rate, (beta1, beta2) = self.param_groups[0]["lr"], self.betas
        for i, parameter in enumerate(self.param_groups[0]["params"]):
            x, g, m = parameter.numpy(), parameter.grad.numpy(), self.means[i]
            c = beta1 * m + (1 - beta1) * g
            x = x - rate * (np.sign(c) + self.weight_decay * x)
            self.means[i] = beta2 * m + (1 - beta2) * g
            parameter.copy_(torch.from_numpy(np.asarray(x)))


OPTIMISERS |= {
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "rmsprop, momentum": lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-3, momentum=0.8,
                                                       weight_decay=0.1),
    "rmsprop, centered": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.8, eps=1e-3, momentum=0.5,
                                                       centered=True),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "rprop, options": lambda p: torch.optim.Rprop(p, lr=0.02, etas=(0.4, 1.5), step_sizes=(0.01, 0.04)),
    "lion": lambda p: Lion(p, lr=0.01),
    "lion, options": lambda p: Lion(p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.3),
    # Parameters 1 and 3 at a fifth of the rate with a decay of their own; parameter 5 is frozen.
    "adamw, groups": lambda p: torch.optim.AdamW(
        [{"params": [p[0], p[2], p[4], p[6]]},
         {"params": [p[1], p[3]], "lr": 0.002, "weight_decay": 0.5}], lr=0.01),
}
STEPS = 12


def optimisers():
    """Steps of which the third and later ones go at half the rate. Gradients hold zeros and tiny
    numbers; `average.<step>.<i>` is the moving average of plain gradient descent."""
    numbers = Numbers(23)
    start = [numbers.normal(*shape) for shape in SHAPES]
    gradients = [[numbers.normal(*shape, scale=10.0 ** -(step % 3)) for shape in SHAPES]
                 for step in range(STEPS)]
    for step in range(STEPS):
        gradients[step][0][0] = 0
        gradients[step][5][:9] *= 1e-9
    gradients = [[g.float().double() for g in step] for step in gradients]
    tensors = {f"start.{i}": value for i, value in enumerate(start)}
    for step, group in enumerate(gradients):
        tensors |= {f"gradient.{step}.{i}": value for i, value in enumerate(group)}
    for name, make in OPTIMISERS.items():
        parameters = [nn.Parameter(value.clone()) for value in start]
        optimiser = make(parameters)
        for step, group in enumerate(gradients):
            if step == 2:
                for options in optimiser.param_groups:
                    options["lr"] /= 2
            for parameter, gradient in zip(parameters, group):
                parameter.grad = gradient.clone()
            optimiser.step()
            tensors |= {f"{name}.{step}.{i}": p.detach().clone() for i, p in enumerate(parameters)}
    return tensors | moving_average(start, gradients)


def moving_average(start, gradients):
    """AveragedModel with a decay of 0.9 beside gradient descent at rate 0.1."""
    model = nn.ParameterList(nn.Parameter(value.clone()) for value in start)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    average.update_parameters(model)  # The first call copies.
    tensors = {}
    for step, group in enumerate(gradients):
        with torch.no_grad():
            for parameter, gradient in zip(model, group):
                parameter -= 0.1 * gradient
        average.update_parameters(model)
        tensors |= {f"average.{step}.{i}": p.detach().clone()
                    for i, p in enumerate(average.module)}
    return tensors


def sharpness_aware():
    """Gradients of the mean of tanh(x w + b)² at w + e, with e as in SAM (Foret et al. 2021) and ASAM
    (Kwon et al. 2021)."""
    numbers = Numbers(25)
    tensors = {"x": numbers.normal(5, 4), "w": numbers.normal(4, 3), "b": numbers.normal(3)}

    def gradients(w, b):
        w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
        loss = (torch.tanh(tensors["x"] @ w + b) ** 2).mean()
        return loss.detach(), torch.autograd.grad(loss, [w, b])

    start = [tensors["w"], tensors["b"]]
    for name, radius, eta in (("sam", 0.3, None), ("asam", 2.0, 0.01)):
        loss, g = gradients(*start)
        t = [torch.ones_like(w) if eta is None else w.abs() + eta for w in start]
        norm = torch.stack([(a * b).norm() for a, b in zip(t, g)]).norm()
        moved = [w + radius * a * a * b / norm for w, a, b in zip(start, t, g)]
        tensors[f"{name}.loss"] = loss
        tensors |= {f"{name}.{key}": value for key, value in zip("wb", gradients(*moved)[1])}
    return tensors


def clipping():
    """clip_grad_norm_ of gradients above and below the limit."""
    numbers = Numbers(24)
    tensors = {}
    for name, limit in (("above", 1.5), ("below", 100.0)):
        parameters = [nn.Parameter(torch.zeros(shape).double()) for shape in SHAPES]
        for i, parameter in enumerate(parameters):
            parameter.grad = numbers.normal(*parameter.shape)
            tensors[f"{name}.before.{i}"] = parameter.grad.clone()
        norm = nn.utils.clip_grad_norm_(parameters, limit)
        tensors |= {f"{name}.limit": torch.tensor(limit), f"{name}.norm": norm}
        tensors |= {f"{name}.after.{i}": p.grad for i, p in enumerate(parameters)}
    return tensors


def by_the_package():
    """Every type that we read, an empty tensor, one number, names of all kinds."""
    return {
        "weights.0": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7,
        "double": torch.tensor([1 / 3, -1e300, float("inf")], dtype=torch.float64),
        "int": torch.tensor([[1], [-(2 ** 31)]], dtype=torch.int32),
        "long": torch.tensor([5, 2 ** 31 - 1, -7], dtype=torch.int64),
        "bool": torch.tensor([True, False, True]),
        "byte": torch.tensor([0, 1, 255], dtype=torch.uint8),
        "number": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        'größe "a/b"': torch.tensor([-0.0, float("nan")]),
    }


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    layers = Layers()
    for describe in (attention, convolutions, others, windows, recurrent):
        describe(layers)
    files = {"layers": layers.tensors, "batchNorm": batch_norm(), "optimisers": optimisers(),
             "clipping": clipping(), "sharpnessAware": sharpness_aware(), "rotary": rotary()}
    for name, tensors in files.items():
        write_safetensors(FOLDER / f"{name}.safetensors", stored(tensors), {})
    # One key only, because the package orders metadata differently in every run.
    save_file(by_the_package(), FOLDER / "package.safetensors", {"made": "by the package"})


if __name__ == "__main__":
    main()
