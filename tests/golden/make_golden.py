"""Makes the golden values that the Rust tests compare the GPU with.

    python make_golden.py           writes rng.safetensors and train-*.safetensors beside this file
    python make_golden.py --check   recomputes them, compares with the files, and tests the recipe itself

All arithmetic is float64 and is rounded to float32 once, when it is stored. PyTorch's autograd gives the gradients
and torch.optim.AdamW the updates. README.md lists the tensors and the conventions, draws.py has the generator,
model.py the models, checks.py the tests of the recipe.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

import checks
from draws import rng_table
from model import CASES, metadata, train

HERE = Path(__file__).resolve().parent


def all_files() -> dict[str, tuple[dict[str, np.ndarray], dict[str, str]]]:
    """File name to (tensors, metadata)."""
    files = {"rng.safetensors": (rng_table(), {})}
    for case in CASES:
        files[f"train-{case.name}.safetensors"] = (train(case), metadata(case))
    return files


def encode(tensors: dict[str, np.ndarray], meta: dict[str, str]) -> bytes:
    """The bytes of a safetensors file. The library writes metadata in an order that changes from run to
    run; sorting it keeps the same values the same bytes."""
    blob = save(tensors, meta or None)
    size = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + size])
    if meta:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode().ljust(size)
    assert len(text) == size
    return blob[:8] + text + blob[8 + size :]


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes or checks the golden values in this folder.")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation
    if arguments.check:
        checks.check_all(HERE, all_files())
        print("all checks passed")
        return
    for name, (tensors, meta) in all_files().items():
        blob = encode(tensors, meta)
        (HERE / name).write_bytes(blob)
        print(f"{name}: {len(tensors)} tensors, {len(blob)} bytes")


if __name__ == "__main__":
    main()
