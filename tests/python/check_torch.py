"""Runs the recipe of the guide that loads model.safetensors into PyTorch, as it stands there but for the path and the
widths, and compares with case.safetensors. Usage: check_torch.py FOLDER, with the case `bernoulli` of 64-16-3-16-64."""

import re
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import BatchNorm2d, Conv2d, ConvTranspose2d, Linear, ModuleDict
from torch.nn.functional import elu


def check(case, want, found):
    for name, got in found.items():
        error = (got - want[name]).abs().max().item()
        assert got.shape == want[name].shape and error < 1e-4, f"{case.name}: {name} is off by {error:.1e}"


def convolutions(folder):
    """The case `conv` of 8 x 8 pictures: `conv 4x4/2, conv 5x3/2 tanh, linear 9` and the decoder that mirrors it."""
    case = folder / "conv"
    want = load_file(case / "case.safetensors")
    taps = {"0": Conv2d(1, 4, 4, 2, 1), "1": Conv2d(4, 5, 3, 2, 1), "2": Linear(20, 9)}
    encoder = ModuleDict(taps | {"mu": Linear(9, 3), "log_var": Linear(9, 3)})
    back = {"2": ConvTranspose2d(5, 4, 3, 2, 1, output_padding=1), "out": ConvTranspose2d(4, 1, 4, 2, 1)}
    decoder = ModuleDict({"0": Linear(3, 9), "1": Linear(9, 20)} | back)
    ModuleDict({"encoder": encoder, "decoder": decoder}).load_state_dict(load_file(case / "model.safetensors"))
    h = torch.tanh(encoder["1"](torch.relu(encoder["0"](want["x"].view(-1, 1, 8, 8)))))
    h = torch.relu(encoder["2"](h.flatten(1)))
    z = torch.tanh(decoder["1"](torch.relu(decoder["0"](want["z"]))))
    mean = torch.sigmoid(decoder["out"](torch.relu(decoder["2"](z.view(-1, 5, 2, 2)))))
    check(case, want, {"mu": encoder["mu"](h), "log_var": encoder["log_var"](h), "mean": mean.flatten(1)})


def batch_norm(folder):
    """The case `batch-norm` of 8 x 8 pictures: `conv 4x4/2 identity, norm batch, elu, linear 9 tanh`, and its mirror."""
    case = folder / "batch-norm"
    want = load_file(case / "case.safetensors")
    layers = {"0": Conv2d(1, 4, 4, 2, 1), "1": BatchNorm2d(4), "3": Linear(64, 9)}
    encoder = ModuleDict(layers | {"mu": Linear(9, 3), "log_var": Linear(9, 3)})
    back = {"2": BatchNorm2d(4), "out": ConvTranspose2d(4, 1, 4, 2, 1)}
    decoder = ModuleDict({"0": Linear(3, 9), "1": Linear(9, 64)} | back)
    model = ModuleDict({"encoder": encoder, "decoder": decoder}).eval()
    # The steps that a norm has counted are the one thing that our files lack.
    found = model.load_state_dict(load_file(case / "model.safetensors"), strict=False)
    assert not found.unexpected_keys and all("num_batches" in key for key in found.missing_keys), found
    h = elu(encoder["1"](encoder["0"](want["x"].view(-1, 1, 8, 8))))
    h = torch.tanh(encoder["3"](h.flatten(1)))
    z = decoder["1"](torch.tanh(decoder["0"](want["z"]))).view(-1, 4, 4, 4)
    mean = torch.sigmoid(decoder["out"](elu(decoder["2"](z))))
    check(case, want, {"mu": encoder["mu"](h), "log_var": encoder["log_var"](h), "mean": mean.flatten(1)})


def main():
    convolutions(Path(sys.argv[1]))
    batch_norm(Path(sys.argv[1]))
    case = Path(sys.argv[1]) / "bernoulli"
    want = load_file(case / "case.safetensors")
    guide = (Path(__file__).parents[2] / "src/guide/using.md").read_text()
    recipe = re.search(r"```python\n(import torch\n.*?)```", guide, re.DOTALL).group(1)
    lines = [line for line in recipe.splitlines() if line]
    assert len(lines) <= 10, f"the recipe has {len(lines)} lines"
    for ours, theirs in [("784", "64"), ("400", "16"), ("20", "3"), ("runs/mnist-vae-1", str(case))]:
        assert ours in recipe, ours
        recipe = recipe.replace(ours, theirs)
    scope = {"x": want["x"]}
    exec(recipe, scope)
    decoded = scope["decode"](want["z"])
    check(case, want, {"mu": scope["mu"], "log_var": scope["log_var"], "mean": decoded})
    print("PyTorch agrees")


if __name__ == "__main__":
    main()
