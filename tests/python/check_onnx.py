"""Runs encoder.onnx and decoder.onnx of each folder in onnxruntime, and compares with case.safetensors, which holds what
vae-gpu made of the same inputs. Usage: check_onnx.py FOLDER, whose sub-folders are the cases."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

TOLERANCE = 1e-4


def main():
    cases = sorted(path.parent for path in Path(sys.argv[1]).glob("*/case.safetensors"))
    failures = [name for case in cases for name in check(case)]
    sys.exit("\n".join(failures) if failures else not cases)


def check(case):
    """The outputs that are wrong."""
    want = load_file(case / "case.safetensors")
    label = {"label": want["label"]} if "label" in want else {}
    eps = np.random.default_rng(0).standard_normal(want["mu"].shape).astype(np.float32)
    if "log_var" in want:
        z = want["mu"] + np.exp(want["log_var"] / 2) * eps
        encoded = run(case / "encoder.onnx", {"x": want["x"], "eps": eps} | label)
        expected = {"mu": want["mu"], "log_var": want["log_var"], "z": z}
    else:
        encoded = run(case / "encoder.onnx", {"x": want["x"]} | label)
        expected = {"z": want["mu"]}
    decoded = run(case / "decoder.onnx", {"z": want["z"]} | label)
    assert encoded.keys() == expected.keys(), encoded.keys()
    pairs = [(name, encoded[name], expected[name]) for name in expected]
    pairs.append(("mean", decoded["mean"], want["mean"]))
    errors = {name: error(got, wanted) for name, got, wanted in pairs}
    wrong = [f"{case.name}: {name} is off by {e:.1e}" for name, e in errors.items() if not e <= TOLERANCE]
    if not wrong:
        print(f"{case.name}: agrees to {max(errors.values()):.1e}; decoder gives {', '.join(decoded)}")
    return wrong


def run(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def error(got, want):
    """The largest difference, relative where values are above 1. Another shape is wrong, and so is a NaN."""
    assert got.shape == want.shape, (got.shape, want.shape)
    return float(np.max(np.abs(got - want) / np.maximum(1, np.abs(want))))


if __name__ == "__main__":
    main()
