"""Rarer functions and activations of one tensor."""

import scipy.special
import torch
from torch.nn import functional as F

from golden import operation


def function(name, call, low, high, specials=()):
    @operation(name)
    def describe(g):
        for label, shape, layout in [("scalar", (), "contiguous"), ("vector", (13,), "contiguous"),
                                     ("empty", (0, 3), "contiguous"), ("transposed", (7, 5), "transposed"),
                                     ("sliced", (3, 9), "sliced"), ("rank four", (2, 3, 1, 4), "contiguous"),
                                     ("large", (41, 53), "contiguous")]:
            g.case(label, call, {"x": g.uniform(low, high, *shape)}, {}, {"x": layout})
        if specials:
            g.case("specials", call, {"x": torch.tensor(specials)}, gradients=False)


class BesselJ0(torch.autograd.Function):
    """By SciPy: PyTorch's is off by 3e-7 near 5, and has no derivative (which is -J1)."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return torch.as_tensor(scipy.special.j0(x.detach().numpy()))

    @staticmethod
    def backward(context, gradient):
        return -gradient * torch.as_tensor(scipy.special.j1(context.saved_tensors[0].numpy()))


inf, nan = float("inf"), float("nan")
function("erfc", torch.special.erfc, -4, 6, [inf, -inf, nan, 0.0, 9.0])
# log erfc(x) = log_ndtr(-x sqrt 2) + log 2
function("logErfc", lambda x: torch.special.log_ndtr(-x * 2 ** 0.5) + torch.log(torch.tensor(2.0).double()),
         -3, 40, [0.0, 24.9, 25.1, 100.0, -9.0])
function("erfcx", torch.special.erfcx, -3, 2, [0.0, 24.9, 25.1, 1e4])
function("logGamma", torch.special.gammaln, 0.05, 20, [1.0, 2.0, 1e5, inf, nan])
function("digamma", torch.special.digamma, 0.1, 20, [1.0, 1e-3, 1e5, -0.5, -3.3])
function("besselJ0", BesselJ0.apply, -30, 30, [0.0, 1e-6, 100.0])
function("logSigmoid", F.logsigmoid, -20, 20, [0.0, 1000.0, -1000.0])
function("sinc", torch.sinc, -5, 5, [0.0, 1e-6, 1.0, -3.0])
function("leakyRelu", F.leaky_relu, -3, 3, [0.0, -1.0])
function("elu", F.elu, -5, 5, [0.0, -100.0])
function("hardSigmoid", F.hardsigmoid, -5, 5, [0.0, -9.0, 9.0])
function("mish", F.mish, -8, 8, [0.0, -100.0, 100.0])
function("geluApproximate", lambda x: F.gelu(x, approximate="tanh"), -8, 8, [0.0, -100.0, 100.0])
function("logCosh", lambda x: x.abs() + F.softplus(-2 * x.abs()) - torch.log(torch.tensor(2.0).double()), -6, 6,
         [0.0, 1e-4, -500.0, 500.0])
