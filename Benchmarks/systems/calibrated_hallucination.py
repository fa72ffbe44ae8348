"""The language model that writes people's factoids."""

from torch import nn

from need import Need, training_bytes
from patterns import labels
from steps import training
from system import learned


class Biographer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(28, 32)
        self.layer = nn.GRU(32, 128, batch_first=True)
        self.head = nn.Linear(128, 28)

    def forward(self, characters):
        return self.head(self.layer(self.embedding(characters))[0])


def factoids():
    x, following = labels(64, 17, below=28, stream=1), labels(64, 17, below=28, stream=2)
    return [training(Biographer(), x, following)]


WORKLOADS = {
    "calibrated_hallucination_step": learned(
        factoids,
        Need(
            20, 2 * 3 * 1088 * (384 * 160 + 128 * 28) / 1e9, training_bytes(66_716, 1088 * 128 * 8),
            "17 small products one after the other, each way")),
}
