"""Writes operations/<operation>.safetensors: the golden files of the tensor operations.

    pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1      (the CPU build of torch will do)
    python operations.py [OPERATION ...]        without names: all of them

Everything is seeded per operation, so a second run writes the same bytes.
"""

import importlib
import pathlib
import sys

import torch

import golden

CASES = ["elementwise", "reductions", "products", "movement", "pooling", "normalisation",
         "attention", "losses", "sampling", "sorting", "scans", "recurrent", "algebra", "fourier",
         "special", "linear_attention", "selective_scan", "windows", "fields", "points", "placement",
         "sparse"]


def main(names):
    torch.set_num_threads(1)
    for module in CASES:
        importlib.import_module(f"cases.{module}")
    unknown = [name for name in names if name not in golden.OPERATIONS]
    if unknown:
        sys.exit(f"no such operation: {', '.join(unknown)}")
    folder = pathlib.Path(__file__).parent / "operations"
    folder.mkdir(exist_ok=True)
    for name in names or sorted(golden.OPERATIONS):
        file = golden.Golden(name)
        golden.OPERATIONS[name](file)
        file.write(folder / f"{name}.safetensors")
        print(f"{name}: {len(file.cases)} cases")


if __name__ == "__main__":
    main(sys.argv[1:])
