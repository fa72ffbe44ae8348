"""Fourier transforms and their relatives. Complex numbers are pairs along a last axis of 2. (PyTorch
cannot transform no rows at all, so that case is missing.)"""

import math

import torch

from golden import operation

LENGTHS = [1, 2, 3, 4, 5, 8, 12, 15, 31, 37, 64, 77, 256, 257, 300, 331]


def over(function, axes):
    """`function` of torch.fft over axes that do not count the pairs."""
    return lambda x: torch.view_as_real(function(torch.complex(x[..., 0], x[..., 1]), dim=axes).resolve_conj())


def complex_cases(g, function):
    for n in LENGTHS:
        g.case(f"length {n}", over(function, [-1]), {"x": g.normal(n, 2)}, {"axes": [-1]})
    for label, shape, axes, layout in [
            ("rows", (5, 7, 2), [-1], "contiguous"), ("columns", (5, 7, 2), [0], "contiguous"),
            ("both", (5, 6, 2), [0, 1], "contiguous"), ("forty rows", (40, 9, 2), [-1], "contiguous"),
            ("inner of three", (3, 6, 4, 2), [-3, 1], "sliced"), ("transposed", (8, 2), [-1], "transposed")]:
        g.case(label, over(function, axes), {"x": g.normal(*shape)}, {"axes": axes}, {"x": layout})


@operation("fft")
def fft(g):
    complex_cases(g, torch.fft.fftn)


@operation("ifft")
def ifft(g):
    complex_cases(g, torch.fft.ifftn)


@operation("rfft")
def rfft(g):
    def call(axes):
        return lambda x: torch.view_as_real(torch.fft.rfftn(x, dim=axes))

    for n in LENGTHS:
        g.case(f"length {n}", call([-1]), {"x": g.normal(2, n)}, {"axes": [-1]})
    for label, shape, axes, layout in [
            ("three rows", (3, 300), [-1], "contiguous"), ("columns", (5, 7), [0], "contiguous"),
            ("both", (5, 6), [0, 1], "contiguous"), ("both turned", (5, 6), [1, 0], "contiguous"),
            ("forty rows", (41, 9), [-1], "contiguous"), ("inner of three", (3, 6, 4), [-3, 1], "sliced"),
            ("transposed", (3, 8), [-1], "transposed")]:
        g.case(label, call(axes), {"x": g.normal(*shape)}, {"axes": axes}, {"x": layout})


@operation("irfft")
def irfft(g):
    def call(axes, n):
        def back(x):
            z = torch.complex(x[..., 0], x[..., 1])
            others = axes[:-1]
            if others:
                z = torch.fft.ifftn(z, dim=others)
            return torch.fft.irfft(z, n=n, dim=axes[-1])
        return back

    for n in LENGTHS:
        g.case(f"length {n}", call([-1], n), {"x": g.normal(2, n // 2 + 1, 2)}, {"axes": [-1], "length": n})
    for label, shape, axes, n, layout in [
            ("three rows", (3, 151, 2), [-1], 301, "contiguous"), ("columns", (4, 7, 2), [0], 7, "contiguous"),
            ("both", (5, 4, 2), [0, 1], 6, "contiguous"), ("forty rows", (41, 5, 2), [-1], 9, "contiguous"),
            ("sliced", (3, 4, 2), [-1], 6, "sliced")]:
        g.case(label, call(axes, n), {"x": g.normal(*shape)}, {"axes": axes, "length": n}, {"x": layout})


def cosines(n, orthonormal):
    k, j = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)
    matrix = 2 * torch.cos(math.pi * k * (2 * j + 1) / (2 * n))
    if orthonormal:
        matrix = matrix / math.sqrt(2 * n)
        matrix[0] /= math.sqrt(2)
    return matrix


def by_matrix(g, matrix):
    for n in [1, 2, 3, 4, 7, 16, 25, 260]:
        for orthonormal in (False, True):
            g.case(f"length {n}{', orthonormal' if orthonormal else ''}",
                   lambda x, n=n, o=orthonormal: x @ matrix(n, o).T, {"x": g.normal(3, n)},
                   {"axis": -1, "orthonormal": orthonormal})
    g.case("columns", lambda x: torch.einsum("kj,ajb->akb", matrix(5, False), x), {"x": g.normal(2, 5, 3)},
           {"axis": 1, "orthonormal": False})


@operation("dct")
def dct(g):
    by_matrix(g, cosines)


@operation("idct")
def idct(g):
    by_matrix(g, lambda n, orthonormal: torch.linalg.inv(cosines(n, orthonormal)))


@operation("hadamard")
def hadamard(g):
    def matrix(n):
        h = torch.ones(1, 1, dtype=torch.float64)
        while len(h) < n:
            h = torch.cat([torch.cat([h, h], 1), torch.cat([h, -h], 1)])
        return h

    for n in [1, 2, 4, 8, 16, 32, 64, 512]:
        for orthonormal in (False, True):
            scale = 1 / math.sqrt(n) if orthonormal else 1
            g.case(f"length {n}{', orthonormal' if orthonormal else ''}", lambda x, n=n, s=scale: x @ matrix(n) * s,
                   {"x": g.normal(3, n)}, {"orthonormal": orthonormal},
                   {"x": "transposed" if n == 8 else "contiguous"})


@operation("fftConvolution")
def fft_convolution(g):
    def call(extent):
        def convolve(x, w):
            length, reach = x.shape[-1], w.shape[-1]
            places = length if extent == "circular" else length + reach
            matrix = torch.zeros(*w.shape[:-1], places, length, dtype=x.dtype)
            t, j = torch.arange(places)[:, None], torch.arange(length)
            s = (t - j) % places if extent == "circular" else t - j
            inside = (s >= 0) & (s < reach)
            matrix = torch.where(inside, w[:, s.clamp(0, reach - 1)], 0.0)
            y = torch.einsum("ctj,...cj->...ct", matrix, x)
            return y if extent == "circular" else y[..., :length + reach - 1 if extent == "full" else length]
        return convolve

    for extent in ("full", "causal", "circular"):
        for label, x, reach in [
                ("one", (1, 1, 1), 1), ("short", (2, 3, 7), 4), ("odd batch", (3, 2, 140), 130),
                ("long kernel", (2, 2, 9), 300), ("without a batch", (2, 200), 70),
                ("two batches", (2, 2, 1, 260), 3)]:
            if extent != "circular" or reach <= x[-1]:
                g.case(f"{label}, {extent}", call(extent), {"x": g.normal(*x), "w": g.normal(x[-2], reach)},
                       {"extent": extent})


@operation("complexMultiply")
def complex_multiply(g):
    for conjugating in (False, True):
        def call(a, b):
            a, b = torch.complex(a[..., 0], a[..., 1]), torch.complex(b[..., 0], b[..., 1])
            return torch.view_as_real(((a.conj() if conjugating else a) * b).resolve_conj())

        for label, a, b, layout in [
                ("one", (2,), (2,), "contiguous"), ("rows", (5, 7, 2), (5, 7, 2), "contiguous"),
                ("broadcast", (5, 1, 2), (7, 2), "contiguous"), ("sliced", (3, 5, 2), (3, 5, 2), "sliced"),
                ("transposed", (7, 2), (7, 2), "transposed"), ("empty", (0, 2), (0, 2), "contiguous")]:
            g.case(f"{label}{', conjugating' if conjugating else ''}", call,
                   {"a": g.normal(*a), "b": g.normal(*b)}, {"conjugating": conjugating},
                   {"a": layout, "b": layout})


@operation("complexMagnitude")
def complex_magnitude(g):
    for label, shape, layout in [
            ("one", (2,), "contiguous"), ("rows", (5, 7, 2), "contiguous"), ("sliced", (3, 5, 2), "sliced"),
            ("transposed", (7, 2), "transposed"), ("empty", (0, 2), "contiguous")]:
        g.case(label, lambda z: torch.sqrt((z * z).sum(-1)), {"x": g.normal(*shape)}, layouts={"x": layout})
    g.case("large", lambda z: torch.sqrt((z * z).sum(-1)), {"x": g.normal(5, 2) * 1e30},
           gradients=False)


def as_complex(function):
    return lambda *x: torch.view_as_real(function(*[torch.complex(z[..., 0], z[..., 1]) for z in x]).resolve_conj())


@operation("complexDivide")
def complex_divide(g):
    for label, a, b, layout in [
            ("one", (2,), (2,), "contiguous"), ("rows", (5, 7, 2), (5, 7, 2), "contiguous"),
            ("broadcast", (5, 1, 2), (7, 2), "contiguous"), ("sliced", (3, 5, 2), (3, 5, 2), "sliced"),
            ("transposed", (7, 2), (7, 2), "transposed"), ("empty", (0, 2), (0, 2), "contiguous")]:
        divisor = g.normal(*b)
        g.case(label, as_complex(lambda a, b: a / b),
               {"a": g.normal(*a), "b": divisor + 0.5 * divisor.sign()}, {}, {"a": layout, "b": layout})
    g.case("far from one", as_complex(lambda a, b: a / b),
           {"a": g.normal(5, 2) * 1e25, "b": (g.normal(5, 2).abs() + 0.5) * 1e25}, gradients=False)


@operation("complexExp")
def complex_exp(g):
    for label, shape, layout in [
            ("one", (2,), "contiguous"), ("rows", (5, 7, 2), "contiguous"), ("sliced", (3, 5, 2), "sliced"),
            ("transposed", (7, 2), "transposed"), ("empty", (0, 2), "contiguous"), ("large", (41, 23, 2), "contiguous")]:
        g.case(label, as_complex(torch.exp), {"x": g.normal(*shape)}, layouts={"x": layout})


@operation("complexEinsum")
def complex_einsum(g):
    for label, formula, a, b in [
            ("product", "ij,jk->ik", (3, 4, 2), (4, 5, 2)), ("modes", "bxi,xio->bxo", (2, 5, 3, 2), (5, 3, 4, 2)),
            ("inner", "bi,bi->b", (3, 6, 2), (3, 6, 2)), ("outer", "i,j->ij", (3, 2), (4, 2)),
            ("broadcast", "nl,nd->nld", (2, 5, 2), (2, 3, 2)), ("empty", "ij,jk->ik", (0, 4, 2), (4, 5, 2))]:
        g.case(label, as_complex(lambda a, b: torch.einsum(formula, a, b)), {"a": g.normal(*a), "b": g.normal(*b)},
               {"formula": formula})
