"""Writes files/: arrays as NumPy and the safetensors package write them.

    pip install numpy==2.4.6 safetensors==0.8.0 torch==2.13.0
    python files.py                  writes the fixtures
    python files.py --check FOLDER   reads what Swift wrote there (see README.md)

expected.safetensors says, in float64, which numbers the .npy and .npz files hold.
"""

import pathlib
import sys
import zipfile

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch

FOLDER = pathlib.Path(__file__).parent / "files"


def numbers(*shape, dtype="<f4"):
    values = np.random.default_rng(len(shape) + sum(shape)).integers(-100, 100, shape)
    if dtype[1] == "u":
        values = np.abs(values)
    if dtype[1] == "b":
        values = values > 0
    return (values / 8 if dtype[1] == "f" else values).astype(dtype)


# What our own writer makes too, byte for byte.
PLAIN = {
    "float32": numbers(3, 4), "float64": numbers(2, 3, 2, dtype="<f8"), "int32": numbers(7, dtype="<i4"),
    "bool": numbers(2, 5, dtype="|b1"), "number": np.float32(2.5).reshape(()), "empty": np.zeros((0, 3), "<f4"),
    "emptyInside": np.zeros((2, 0, 4), "<i4"), "one": numbers(1), "many": numbers(*[1] * 9, 2, *[1] * 6),
    "special": np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38], "<f4"),
    "long": numbers(123456 // 100, dtype="<f8"),
}


def others():
    """What is converted when read, and arrays in Fortran order."""
    result = {}
    for dtype in ["<f2", ">f2", ">f4", ">f8", "|i1", "<i2", ">i2", ">i4", "<i8", ">i8", "|u1", "<u2", ">u2", "<u4",
                  ">u4", "<u8", ">u8"]:
        order = {"<": "little", ">": "big", "|": ""}[dtype[0]]
        result[dtype[1:] + order] = numbers(4, 3, dtype=dtype)
        result[dtype[1:] + order + "Fortran"] = np.asfortranarray(numbers(2, 3, 4, dtype=dtype))
    result["f4Fortran"] = np.asfortranarray(numbers(3, 5))
    result["boolFortran"] = np.asfortranarray(numbers(3, 5, dtype="|b1"))
    # Every 61st half: all signs and exponents, numbers below the smallest normal one, infinities, NaN.
    result["halves"] = np.append(np.arange(0, 65536, 61), [0x7c00, 0xfc00, 0x7e00, 0x03ff, 0x8001]) \
        .astype("<u2").view("<f2")
    result["largest"] = np.array([2 ** 31 - 1, -(2 ** 31)], "<i8")
    return result


def write_npy(name, array, version):
    with open(FOLDER / f"{name}.npy", "wb") as file:
        np.lib.format.write_array(file, np.asanyarray(array), version=version)


def write():
    FOLDER.mkdir(exist_ok=True)
    for name, array in PLAIN.items():
        write_npy(name, array, (1, 0))
    for version in (2, 3):
        write_npy(f"version{version}", PLAIN["float32"], (version, 0))
    np.savez(FOLDER / "types.npz", **others())
    expected = {name: np.ascontiguousarray(array, dtype="<f8").reshape(np.shape(array))
                for name, array in (PLAIN | others()).items()}
    save_file(expected, FOLDER / "expected.safetensors")

    # Refused: what does not fit and what is no plain array.
    write_npy("refused-wide", np.array([1, 2 ** 31], "<i8"), (1, 0))
    write_npy("refused-unsigned", np.array([2 ** 32 - 1], "<u4"), (1, 0))
    write_npy("refused-complex", np.zeros(2, "<c8"), (1, 0))
    write_npy("refused-text", np.array(["a", "bc"]), (1, 0))
    write_npy("refused-records", np.zeros(2, [("x", "<f4"), ("y", "<i4")]), (1, 0))
    write_npy("refused-objects", np.array([None], dtype=object), (1, 0))

    names = sorted(PLAIN, key=str.encode)
    np.savez(FOLDER / "stored.npz", **{name: PLAIN[name] for name in names})
    np.savez_compressed(FOLDER / "deflated.npz", **{name: PLAIN[name] for name in names})
    np.savez(FOLDER / "none.npz")
    # 64-bit sizes and offsets everywhere, as in archives beyond 2 GB.
    usual, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 0
    np.savez(FOLDER / "wide.npz", **{name: PLAIN[name] for name in names})
    zipfile.ZIP64_LIMIT = usual

    save_file({k: np.ascontiguousarray(v).reshape(v.shape) for k, v in PLAIN.items()} | {'n "\\/\n\x01ü': numbers(2)},
              FOLDER / "plain.safetensors", {"made": 'by "the package"\t\x1f'})
    write_safetensors_types()


def write_safetensors_types():
    """Types beyond ours."""
    types = [torch.int8, torch.int16, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64,
             torch.float16, torch.bfloat16]
    tensors = {str(dtype).split(".")[1]: torch.from_numpy(numbers(3, 2, dtype="<u4").astype("<f8") * 1.375).to(dtype)
               for dtype in types}
    save_torch(tensors, FOLDER / "types.safetensors")
    save_torch({name: tensor.double() for name, tensor in tensors.items()}, FOLDER / "types-expected.safetensors")


def check(folder):
    """What Swift wrote is what `expected` says, by NumPy and by the package."""
    expected = {name: (array, array.dtype) for name, array in PLAIN.items()}
    for name, (array, dtype) in expected.items():
        found = np.load(folder / f"{name}.npy")
        assert found.dtype == dtype and found.shape == array.shape, name
        np.testing.assert_array_equal(found, array, err_msg=name)
    for archive in ["stored", "deflated"]:
        with np.load(folder / f"{archive}.npz") as found, zipfile.ZipFile(folder / f"{archive}.npz") as members:
            assert members.testzip() is None and set(found.files) == set(expected)
            for name, (array, _) in expected.items():
                np.testing.assert_array_equal(found[name], array, err_msg=name)
    found = load_file(folder / "plain.safetensors")
    assert set(found) == set(expected)
    for name, (array, dtype) in expected.items():
        assert found[name].dtype == dtype and found[name].shape == array.shape, name
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    print(f"{len(expected)} arrays agree in each of 4 formats")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(pathlib.Path(sys.argv[2]))
    else:
        write()
