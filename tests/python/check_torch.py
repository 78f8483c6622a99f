"""Runs the recipe of the guide that loads model.safetensors into PyTorch, as it stands there but for the path and the
widths, and compares with case.safetensors. Usage: check_torch.py FOLDER, with the case `bernoulli` of 64-16-3-16-64."""

import re
import sys
from pathlib import Path

from safetensors.torch import load_file


def main():
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
    for name, got in [("mu", scope["mu"]), ("log_var", scope["log_var"]), ("mean", decoded)]:
        error = (got - want[name]).abs().max().item()
        assert got.shape == want[name].shape and error < 1e-4, f"{name} is off by {error:.1e}"
    print("PyTorch agrees")


if __name__ == "__main__":
    main()
