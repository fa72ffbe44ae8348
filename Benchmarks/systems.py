"""The published systems in PyTorch: a training step of each, or what takes the time in it, at the sizes of
its claim or of its paper. Where the authors have code, the algorithm is theirs; the data are those of
Sources/bench/*Systems.swift, and the driver checks that both sides find the same before it measures.

`SYSTEMS` holds for each name what makes a step (see steps.py) and what gives the numbers to compare;
`LOOPS` are those that go through many steps in Python, or do not use PyTorch.
"""

import math
import types

import torch
from torch import nn
from torch.nn import functional as F

import bodies
import operators
import probes
from patterns import fill, labels, length, pattern
from recurrences import delta_rule_in_chunks
from steps import Training, cross_entropy, fastest, training

# ---- Systems that read tokens


class Scale(nn.Module):
    """A number for each channel."""

    def __init__(self, width, start):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), start))

    def forward(self, x):
        return x * self.weight.view(-1, 1, 1)


class Positions(nn.Module):
    def __init__(self, rows, columns, width):
        super().__init__()
        self.grid = rows, columns
        self.weight = nn.Parameter(torch.randn(rows * columns, width) * 0.02)

    def forward(self, x):
        return x + self.weight.T.unflatten(1, self.grid)


class PoolingBlock(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(1, width), nn.GroupNorm(1, width)
        self.up, self.down = nn.Conv2d(width, 4 * width, 1), nn.Conv2d(4 * width, width, 1)
        self.scale1, self.scale2 = Scale(width, scale), Scale(width, scale)

    def forward(self, x):
        y = self.norm1(x)
        pooled = F.avg_pool2d(y, 3, stride=1, padding=1, count_include_pad=False)
        x = x + self.scale1(pooled - y)
        return x + self.scale2(self.down(F.gelu(self.up(self.norm2(x)))))


class PoolFormer(nn.Module):
    def __init__(self, channels, widths, depths, classes, scale, grid=None):
        super().__init__()
        layers = [nn.Conv2d(channels, widths[0], 7, stride=4, padding=2)]
        if grid:
            layers.append(Positions(*grid, widths[0]))
        for before, width, depth in zip([None, *widths], widths, depths):
            if before:
                layers.append(nn.Conv2d(before, width, 3, stride=2, padding=1))
            layers += [PoolingBlock(width, scale) for _ in range(depth)]
        self.body = nn.Sequential(*layers, nn.GroupNorm(1, widths[-1]))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, images):
        return self.head(self.body(images).mean((2, 3)))


def images(side, channels, classes, batch, *shape, **options):
    """With channels first, and with channels last."""
    x = pattern(batch, side, side, channels, stream=1).permute(0, 3, 1, 2)
    targets = labels(batch, below=classes, stream=2)
    forms = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network = PoolFormer(channels, *shape, classes, **options).to(memory_format=layout)
        forms.append(training(network, x.contiguous(memory_format=layout), targets))
    return forms


class DeltaNet(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.map = nn.Linear(width, 3 * width, bias=False)
        self.convolution = nn.Conv1d(3 * width, 3 * width, 4, groups=3 * width, bias=False)
        self.beta = nn.Linear(width, heads, bias=False)
        self.norm = nn.RMSNorm(width // heads, eps=1e-5)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x):
        mixed = F.silu(self.convolution(F.pad(self.map(x).transpose(1, 2), (3, 0))))
        q, k, v = mixed.unflatten(1, (3, self.heads, -1)).transpose(3, 4).unbind(1)
        q, k = (y * torch.rsqrt(y.square().sum(-1, keepdim=True) + 1e-6) for y in (q, k))
        y = delta_rule_in_chunks(q, k, v, torch.sigmoid(self.beta(x)).transpose(1, 2))
        return self.output(self.norm(y.transpose(1, 2)).flatten(2))


class Hopfield(nn.Module):
    """The association of hopfield-layers with one update, which is attention."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.maps = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (map(norm(x)).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for norm, map in zip(self.norms, self.maps))
        return self.output(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def gelu_slope(x):
    return 0.5 * (1 + torch.erf(x * 0.5**0.5)) + x * torch.exp(-0.5 * x * x) * (2 * math.pi) ** -0.5


class Titans(nn.Module):
    """A memory of two layers as in titans-pytorch: the gradient of every token at the weights of its
    chunk's start, then momentum and forgetting token by token."""

    def __init__(self, width, chunk=8, largest_surprise=10.0):
        super().__init__()
        self.chunk, self.bound = chunk, largest_surprise
        self.projection = nn.Linear(width, 3 * width, bias=False)
        self.rates = nn.Linear(width, 3)
        self.convolution = nn.Conv1d(3 * width, 3 * width, 4, groups=3 * width, bias=False)
        self.start = nn.ParameterList(torch.randn(width, width) * width**-0.5 for _ in range(2))

    def gradients(self, keys, values, weights):
        """Of each token by each matrix, [batch, tokens, inputs, outputs]."""
        inner = keys @ weights[0]
        active = F.gelu(inner)
        error = 2 * (active @ weights[1] - values)
        found = []
        for entering, error in ((keys, (error @ weights[1].mT) * gelu_slope(inner)), (active, error)):
            squares = entering.square().sum(2, keepdim=True) * error.square().sum(2, keepdim=True)
            error = error * torch.rsqrt(squares / self.bound**2 + 1)
            found.append(entering.unsqueeze(3) * error.unsqueeze(2))
        return found

    def forward(self, x):
        mixed = F.silu(self.convolution(F.pad(self.projection(x).transpose(1, 2), (3, 0))))
        q, k, v = mixed.transpose(1, 2).chunk(3, 2)
        q, k = (y * torch.rsqrt(y.square().sum(-1, keepdim=True) + 1e-12) for y in (q, k))
        rate, momentum, fading = self.rates(x)[..., None, None].unbind(2)
        rate = torch.sigmoid(rate) / (32 * self.chunk)
        momentum, kept = torch.sigmoid(momentum), torch.sigmoid(-fading)
        weights = [w.expand(x.shape[0], -1, -1) for w in self.start]
        surprise = [torch.zeros_like(w) for w in weights]
        answers = []
        for start in range(0, x.shape[1], self.chunk):
            span = slice(start, start + self.chunk)
            arriving = self.gradients(k[:, span], v[:, span], weights)
            courses = []
            for layer in range(2):
                downhill = (-rate[:, span] * arriving[layer]).unbind(1)
                course = []
                for change, m, share in zip(downhill, momentum[:, span].unbind(1), kept[:, span].unbind(1)):
                    surprise[layer] = torch.addcmul(change, m, surprise[layer])
                    weights[layer] = torch.addcmul(surprise[layer], share, weights[layer])
                    course.append(weights[layer])
                courses.append(torch.stack(course, 1))
            answers.append((F.gelu(q[:, span].unsqueeze(2) @ courses[0]) @ courses[1]).squeeze(2))
        return torch.cat(answers, 1)


class Biographer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(28, 32)
        self.layer = nn.GRU(32, 128, batch_first=True)
        self.head = nn.Linear(128, 28)

    def forward(self, characters):
        return self.head(self.layer(self.embedding(characters))[0])


def layer(network, batch, tokens, width):
    shape = batch, tokens, width
    return [training(network, pattern(*shape, stream=1), pattern(*shape, stream=2), F.mse_loss)]


# ---- Neurons and rules of learning


def branch_memories(x, synapses, hidden, hidden_bias, writing, writing_bias, keep, gain,
                    synapse_keep: float, branches: int):
    """The time loop of elmneuron: what each synapse receives [batch, time, synapses] -> memories."""
    trace = torch.zeros_like(x[:, 0])
    memory = torch.zeros(x.shape[0], keep.shape[0])
    weights = torch.relu(synapses)
    states = []
    for t in range(x.shape[1]):
        trace = synapse_keep * trace + weights * x[:, t]
        sums = trace.view(x.shape[0], branches, -1).sum(2)
        kept = keep * memory
        inner = torch.relu(F.linear(torch.cat([sums, kept], 1), hidden, hidden_bias))
        written = torch.tanh(F.linear(inner, writing, writing_bias) * (2 / 3)) * 1.7159
        memory = kept + gain * written
        states.append(memory)
    return torch.stack(states, 1)


class BranchNeuron(nn.Module):
    """The Branch-ELM neuron of 8,002 parameters."""

    def __init__(self, loop, inputs=1278, branches=45, per_branch=100, memories=20, longest=150.0):
        super().__init__()
        self.loop, self.branches = loop, branches
        self.synapses = nn.Parameter(torch.full((branches * per_branch,), 0.5))
        self.hidden = nn.Linear(branches + memories, 2 * memories)
        self.writing = nn.Linear(2 * memories, memories)
        self.output = nn.Linear(memories, 2)
        start, end = math.log(1 + 1e-6), math.log(longest - 1e-6)
        self.keep = torch.exp(-1 / torch.exp(torch.linspace(start, end, memories, dtype=torch.float64))).float()
        place = (torch.arange(branches)[:, None] * math.ceil(inputs / branches)
                 + torch.arange(per_branch)).flatten()
        inside = place.clamp(max=inputs - 1)
        self.routes = inside % 2 * (inputs // 2) + inside // 2
        self.valid = (place < inputs).float()

    def forward(self, x):
        return self.output(self.loop(
            x[:, :, self.routes] * self.valid, self.synapses, self.hidden.weight, self.hidden.bias,
            self.writing.weight, self.writing.bias, self.keep, 5 * (1 - self.keep), math.exp(-1 / 5),
            self.branches))


def branch_neurons():
    """The loop as it is, and compiled as the authors do."""
    x = (pattern(8, 500, 1278, stream=1) > 0.98).float()
    target = pattern(8, 500, 2, stream=2)
    loops = branch_memories, torch.jit.script(branch_memories)
    return [training(BranchNeuron(loop), x, target, F.mse_loss) for loop in loops]


class SigmoidSpike(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(context, g):
        s = torch.sigmoid(4 * context.saved_tensors[0])
        return g * (4 * s * (1 - s))


class ProjectedLinear(torch.autograd.Function):
    """x wᵀ, whose weight learns outside of the space of earlier tasks."""

    @staticmethod
    def forward(context, x, weight, rows):
        context.save_for_backward(x, weight, rows)
        return x @ weight.T

    @staticmethod
    def backward(context, g):
        x, weight, rows = context.saved_tensors
        return (g @ weight if context.needs_input_grad[0] else None), g.T @ (x - (x @ rows.T) @ rows), None


class Subspace:
    """Lateral weights that find the principal space of what a layer receives, beside frozen rows."""

    def __init__(self, rows, frozen, rate):
        self.frozen, self.rows, self.rate = rows[:frozen], rows[frozen:].clone(), rate
        self.velocity = torch.zeros_like(self.rows)

    @torch.no_grad()
    def update(self, x):
        left = x - (x @ self.frozen.T) @ self.frozen
        for _ in range(5):
            y = x @ self.rows.T
            change = (y.T @ (left - y @ self.rows)).div_(len(x)).clamp_(-10, 10)
            self.velocity.mul_(0.9).add_(change, alpha=0.1)
            self.rows.add_(self.velocity, alpha=self.rate)


class SecondTask(nn.Module):
    """Two spiking layers of HLOP-SNN in their second task, taught through time."""

    def __init__(self, widths=(784, 200, 200), rows=((80, 70), (50, 18)), classes=10, steps=6):
        super().__init__()
        self.steps = steps
        self.trunk = nn.ModuleList(
            nn.Linear(*pair, bias=False) for pair in zip(widths, widths[1:]))
        self.head = nn.Linear(widths[-1], classes, bias=False)
        self.subspaces = [
            Subspace(pattern(sum(counts), width, stream=10 + place) * (3 / width) ** 0.5, counts[0], rate)
            for place, (counts, width, rate) in enumerate(zip(rows, widths, (0.001, 0.01)))]

    def forward(self, x):
        spikes = None
        for layer, subspace in zip(self.trunk, self.subspaces):
            entering = x if spikes is None else spikes.flatten(0, 1)
            subspace.update(entering.detach())
            current = ProjectedLinear.apply(entering, layer.weight, subspace.frozen)
            # The picture is the same current at every step.
            currents = [current] * self.steps if spikes is None else current.chunk(self.steps)
            potential, fired = 0.0, []
            for i in currents:
                potential = 0.5 * potential + i
                spike = SigmoidSpike.apply(potential - 1)
                potential = potential - spike.detach()
                fired.append(spike)
            spikes = torch.stack(fired)
        return self.head(spikes.mean(0))


def second_task():
    network = SecondTask()
    form = training(
        network, pattern(64, 784, stream=1) * 4 + 4, labels(64, below=10, stream=2))
    form.descent = 0.1
    return network, form


def compared_second_task():
    network, form = second_task()
    found = loss_and_length(form)
    return [*found, length([x for one in network.subspaces for x in (one.frozen, one.rows)])]


class DenoisingBlock(nn.Module):
    """Names the class from a picture and a noisy code of it."""

    def __init__(self, inputs=784, hidden=128, classes=10):
        super().__init__()
        self.input = nn.Linear(inputs, hidden)
        self.code, self.residual = nn.Linear(classes, hidden), nn.Linear(hidden, hidden)
        self.joint, self.output = nn.Linear(2 * hidden, hidden), nn.Linear(hidden, classes)

    def forward(self, x, z):
        code = torch.relu(self.code(z))
        code = code + torch.relu(self.residual(code))
        features = torch.cat([torch.relu(self.input(x)), code], 1)
        return self.output(torch.relu(self.joint(features)))


class AllBlocks(nn.Module):
    """The same blocks side by side, in batched products."""

    def __init__(self, blocks):
        super().__init__()
        for name, _ in blocks[0].named_children():
            layers = [getattr(block, name) for block in blocks]
            for part in ("weight", "bias"):
                stacked = torch.stack([getattr(one, part).detach() for one in layers])
                self.register_parameter(f"{name}_{part}", nn.Parameter(stacked))

    def layer(self, name, x):
        weight, bias = (getattr(self, f"{name}_{part}") for part in ("weight", "bias"))
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    def forward(self, x, z):
        """A picture [batch, inputs] and codes [blocks, batch, classes] to logits."""
        seen = F.linear(x, self.input_weight.flatten(0, 1), self.input_bias.flatten())
        seen = torch.relu(seen).unflatten(1, (len(z), -1)).transpose(0, 1)
        code = torch.relu(self.layer("code", z))
        code = code + torch.relu(self.layer("residual", code))
        return self.layer("output", torch.relu(self.layer("joint", torch.cat([seen, code], 2))))


class NoProp(nn.Module):
    def __init__(self, side_by_side, blocks=10, clip=0.001):
        super().__init__()
        self.blocks = nn.ModuleList(DenoisingBlock() for _ in range(blocks))
        if side_by_side:
            self.blocks = AllBlocks(self.blocks)
        self.head = nn.Linear(10, 10)
        share = torch.sin(math.pi / 2 * torch.arange(blocks + 1, dtype=torch.float64) / blocks) ** 2
        self.signal = (clip + (1 - 2 * clip) * share).float()
        ratio = self.signal / (1 - self.signal)
        self.worth = 0.05 * ratio.diff()

    def forward(self, x, labels):
        codes = F.one_hot(labels, 10).float()
        signal = self.signal.view(-1, 1, 1)
        noisy = signal.sqrt() * codes + (1 - signal).sqrt() * torch.randn(len(signal), *codes.shape)
        if isinstance(self.blocks, AllBlocks):
            logits = self.blocks(x, noisy[:-1])
        else:
            logits = torch.stack([block(x, z) for block, z in zip(self.blocks, noisy)])
        errors = (logits.softmax(2) - codes).square().sum(2).mean(1)
        first = self.signal[0]
        spread = (codes.square() * first - first - torch.log1p(-first)).sum(1).mean() * 0.5
        return F.cross_entropy(self.head(noisy[-1]), labels) + spread + (errors * self.worth).sum()


def denoising():
    """One block after the other, and all at once."""
    data = pattern(128, 784, stream=1) * 0.5 + 0.5, labels(128, below=10, stream=2)
    return [Training(list(network.parameters()), network, data)
            for network in (NoProp(side_by_side=False), NoProp(side_by_side=True))]


def compared_denoising():
    """All blocks at once, as ours are: every parameter has an axis of blocks, also in `pattern`."""
    form = denoising()[1]
    with torch.no_grad():
        for place, x in enumerate(form.parameters):
            values = pattern(*x.shape, stream=100 + place)
            x.copy_(values * 0.1 + 0.3 if x.ndim < 2 else values * math.prod(x.shape[1:]) ** -0.5)
    loss = form.loss(*form.data)
    return [loss.item(), length(torch.autograd.grad(loss, form.parameters))]


def linear_paths():
    """Two paths of three matrices, one after the other, and side by side."""
    shapes = (32, 8), (32, 32), (15, 32)
    data = torch.eye(8), pattern(8, 15, stream=1)

    def separate(items, wanted, parameters):
        product = sum(c @ (b @ a) for a, b, c in (parameters[:3], parameters[3:]))
        return (items @ product.T - wanted).square().sum() * 0.5

    def together(items, wanted, parameters):
        a, b, c = parameters
        return (items @ (c @ (b @ a)).sum(0).T - wanted).square().sum() * 0.5

    forms = []
    for loss, sizes in ((separate, shapes * 2), (together, [(2, *shape) for shape in shapes])):
        parameters = [nn.Parameter(torch.randn(size) * 0.1) for size in sizes]
        forms.append(Training(
            parameters, lambda x, y, loss=loss, parameters=parameters: loss(x, y, parameters), data, 0.01))
    return forms


# ---- All


def loss_and_length(form):
    fill(form.parameters)
    loss = form.loss(*form.data)
    return [loss.item(), length(torch.autograd.grad(loss, form.parameters))]


def system(forms):
    """What `forms` gives are ways to compute the same; the first is compared."""
    return types.SimpleNamespace(
        make=lambda: fastest(*forms()), compared=lambda: loss_and_length(forms()[0]))


SYSTEMS = {
    "metaformer_step": system(lambda: images(28, 1, 10, 10, [32], [4], scale=1.0, grid=(7, 7))),
    "poolformer_s12_step": system(
        lambda: images(224, 3, 1000, 1, [64, 128, 320, 512], [2, 2, 6, 2], scale=1e-5)),
    "delta_net_step": system(lambda: layer(DeltaNet(256, 4), 1, 2048, 256)),
    "modern_hopfield_step": system(lambda: layer(Hopfield(64, 4), 32, 64, 64)),
    "titans_step": system(lambda: layer(Titans(32), 16, 128, 32)),
    "calibrated_hallucination_step": system(lambda: [training(
        Biographer(), labels(64, 17, below=28, stream=1), labels(64, 17, below=28, stream=2),
        cross_entropy)]),
    "elm_neuron_step": system(branch_neurons),
    "hlop_step": types.SimpleNamespace(make=lambda: second_task()[1], compared=compared_second_task),
    "noprop_step": types.SimpleNamespace(make=lambda: fastest(*denoising()), compared=compared_denoising),
    "critical_periods_linear_step": system(linear_paths),
    "mgno_step": system(operators.flows),
    "bilateral_motor_step": bodies.REACHING,
    "ncap_generation": bodies.SWIMMING,
    "mds_clustering_ascent": probes.ASCENT,
    "topological_rsa": probes.STATISTICS,
    "retrieval_head_scores": probes.SCORES,
}
LOOPS = {"titans_step", "elm_neuron_step", "bilateral_motor_step", "ncap_generation", "topological_rsa"}
