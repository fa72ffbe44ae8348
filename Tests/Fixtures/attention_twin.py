"""Writes attention_twin.safetensors: the PyTorch twin of the attention network and 20 steps of it.

    pip install torch==2.13.0 numpy==2.4.6      (the CPU build of torch will do)
    python attention_twin.py

A test gives the same initial weights and batches to our network and compares the losses.
"""

import json
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from golden import write_safetensors

SIDE, PATCH, WIDTH, HEADS, DEPTH, CLASSES = 28, 4, 32, 4, 2, 10
STEPS, BATCH, LEARNING_RATE, EPSILON = 20, 16, 1e-3, 1e-5
TOKENS = (SIDE // PATCH) ** 2


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.projection = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = (part.reshape(batch, tokens, HEADS, WIDTH // HEADS).transpose(1, 2)
                   for part in self.qkv(x).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.projection(y.transpose(1, 2).reshape(batch, tokens, WIDTH))


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.down(F.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.mixer = Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.mlp = MLP()

    def forward(self, x):
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class AttentionNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(PATCH * PATCH, WIDTH)
        self.positions = nn.Parameter(torch.zeros(TOKENS, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, images):
        # Tokens run over the image row by row, and so do the numbers within a patch.
        grid = SIDE // PATCH
        patches = images.reshape(-1, grid, PATCH, grid, PATCH).transpose(2, 3)
        x = self.embed(patches.reshape(-1, TOKENS, PATCH * PATCH)) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


def initialise(network, random):
    """Every parameter is drawn, so that a forgotten bias or a swapped gain shows in the losses."""
    for name, parameter in network.named_parameters():
        draws = random.standard_normal(tuple(parameter.shape))
        if parameter.dim() == 2 and name != "positions":
            draws *= parameter.shape[1] ** -0.5
        elif "norm" in name and name.endswith("weight"):
            draws = 1 + 0.1 * draws
        else:
            draws *= 0.1
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(draws.astype(np.float32)))


def batches(random):
    """Ten textures on a 7x7 mask of their own, in noise, in 256 grey levels as in an image file."""
    textures = np.tile(random.random((CLASSES, PATCH, PATCH)) < 0.5, (1, 7, 7))
    masks = (random.random((CLASSES, 7, 7)) < 0.7).repeat(4, axis=1).repeat(4, axis=2)
    labels = random.integers(0, CLASSES, (STEPS, BATCH))
    noise = random.random((STEPS, BATCH, SIDE, SIDE))
    grey = 0.8 * (textures & masks)[labels] + 0.2 * noise
    images = np.round(grey * 255).astype(np.float32) / np.float32(255)
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int32))


def main():
    torch.set_num_threads(1)
    random = np.random.default_rng(20)
    network = AttentionNetwork()
    initialise(network, random)
    images, labels = batches(random)
    tensors = {f"weights.{name}": value.detach().clone() for name, value in network.named_parameters()}
    optimiser = torch.optim.Adam(
        network.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, foreach=False)
    losses = []
    for step in range(STEPS):
        loss = F.cross_entropy(network(images[step]), labels[step].long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    tensors |= {f"final.{name}": value.detach() for name, value in network.named_parameters()}
    tensors |= {"images": images, "labels": labels, "losses": torch.tensor(losses)}
    configuration = {
        "image": [SIDE, SIDE], "patch": PATCH, "width": WIDTH, "heads": HEADS, "depth": DEPTH,
        "classes": CLASSES, "normEpsilon": EPSILON, "learningRate": LEARNING_RATE,
        "betas": [0.9, 0.999], "adamEpsilon": 1e-8}
    write_safetensors(pathlib.Path(__file__).parent / "attention_twin.safetensors", tensors,
                      {"configuration": json.dumps(configuration)})
    print(" ".join(f"{loss:.4f}" for loss in losses))


if __name__ == "__main__":
    main()
