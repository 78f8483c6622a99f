"""Trains with PyTorch on the CPU what `vae-gpu train --preset burda2015-vae --scale F` trains, or with --k above 1
`--preset burda2015-iwae --samples K`, estimates log p(x) as `vae-gpu evaluate` does, and prints one line of JSON.

python torch_burda.py --scale 0.033 [--k 1] [--nll-samples 5000] [--limit 1000] [--seed 0]

B rows, K samples a row, D data, Z latent.
"""

import argparse
import json
import math
import sys
import time

import torch
from torch import Tensor
from torch.nn import functional as F

import common
import mnist
from torch_nll import CHUNK, Parameters, linear, log_likelihood, stack

WIDTHS = {
    "encoder.0": (784, 200),
    "encoder.1": (200, 200),
    "encoder.mu": (200, 50),
    "encoder.log_var": (200, 50),
    "decoder.0": (50, 200),
    "decoder.1": (200, 200),
    "decoder.out": (200, 784),
}
BATCH = 20
EPOCHS = 3280
STAGES = 8
EPSILON = 1e-4
"""Of Adam."""


def rate_factor(share: float) -> float:
    """Stage i of 0..=7 lasts 3^i of (3^8 - 1) / 2 parts of the run, at 10^(-i / 7) of the first rate."""
    ends = ((3.0 ** (i + 1) - 1) / (3.0**STAGES - 1) for i in range(STAGES))
    stage = sum(share >= end for end in ends)
    return 10.0 ** (-min(stage, STAGES - 1) / (STAGES - 1))


def initial(grey: Tensor) -> Parameters:
    """Glorot's uniform weights, biases 0, but for the output's: the logit of each pixel's mean."""
    parameters = {}
    for layer, (inputs, outputs) in WIDTHS.items():
        parameters[f"{layer}.weight"] = torch.nn.init.xavier_uniform_(torch.empty(outputs, inputs))
        parameters[f"{layer}.bias"] = torch.zeros(outputs)
    parameters["decoder.out.bias"] = torch.logit(grey.mean(dim=0).clamp(0.001, 0.999))
    return {name: value.requires_grad_() for name, value in parameters.items()}


def grey_images(split: str) -> Tensor:
    """Images [N, D] in 0..1."""
    return torch.from_numpy(mnist.images(split).copy()).float() / 255


def binarize(grey: Tensor) -> Tensor:
    return (torch.rand_like(grey) < grey).float()


def terms(parameters: Parameters, x: Tensor, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """log p(x|z) [B, K], KL [B] and log p(z) - log q(z|x) [B, K], in nats."""
    h = stack(parameters, "encoder", x)
    mu, log_var = linear(parameters, "encoder.mu", h), linear(parameters, "encoder.log_var", h)
    eps = torch.randn(len(x), samples, mu.shape[1])
    z = mu[:, None] + torch.exp(log_var / 2)[:, None] * eps
    logits = linear(parameters, "decoder.out", stack(parameters, "decoder", z.flatten(0, 1)))
    each = x.repeat_interleave(samples, dim=0)
    recon = -F.binary_cross_entropy_with_logits(logits, each, reduction="none").sum(dim=1)
    kl = (mu.square() + log_var.exp() - 1 - log_var).sum(dim=1) / 2
    log_ratio = (eps.square() + log_var[:, None] - z.square()).sum(dim=2) / 2
    return recon.view(len(x), samples), kl, log_ratio


def loss_of(parameters: Parameters, x: Tensor, samples: int) -> Tensor:
    """-ELBO of one sample, or minus the importance-weighted bound of several, averaged over rows.

    The gradient of logsumexp is the sum of gradients with the normalised weights, as in Burda et al. 2015, equation 14.
    """
    recon, kl, log_ratio = terms(parameters, x, samples)
    if samples == 1:
        return (kl - recon[:, 0]).mean()
    return math.log(samples) - torch.logsumexp(recon + log_ratio, dim=1).mean()


def train(grey: Tensor, epochs: int, samples: int) -> tuple[Parameters, float]:
    """The weights after the last epoch, and the seconds of training."""
    parameters = initial(grey)
    adam = torch.optim.Adam(parameters.values(), lr=common.LEARNING_RATE, eps=EPSILON, fused=True)
    steps = len(grey) // BATCH
    begin = time.perf_counter()
    for epoch in range(epochs):
        order = torch.randperm(len(grey))
        total = torch.zeros(())
        for step in range(steps):
            adam.param_groups[0]["lr"] = common.LEARNING_RATE * rate_factor((epoch + step / steps) / epochs)
            loss = loss_of(parameters, binarize(grey[order[step * BATCH : (step + 1) * BATCH]]), samples)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            total += loss.detach()
        progress = f"epoch {epoch + 1}/{epochs}  loss {total.item() / steps:.2f}  {time.perf_counter() - begin:.0f} s"
        print(progress, file=sys.stderr, flush=True)
    return parameters, time.perf_counter() - begin


def mean_and_error(values: Tensor) -> dict[str, float]:
    return {"mean": values.mean().item(), "standard_error": values.std().item() / math.sqrt(len(values))}


def main() -> None:
    p = argparse.ArgumentParser(description="Burda et al. 2015's recipe on MNIST, on the CPU.")
    p.add_argument("--scale", type=float, required=True, help=f"part of the {EPOCHS} epochs")
    p.add_argument("--k", type=int, default=1, help="samples in training; above 1 the importance-weighted bound")
    p.add_argument("--nll-samples", type=int, default=5000)
    p.add_argument("--limit", type=int, default=1000, help="test images for log p(x), the first ones")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=common.cores(), help="[default: all cores]")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    epochs = max(1, math.floor(EPOCHS * args.scale + 0.5))
    parameters, seconds = train(grey_images("train"), epochs, args.k)
    with torch.inference_mode():
        x = binarize(grey_images("test"))
        recon, kl, _ = terms(parameters, x, 1)
        nll = -log_likelihood(parameters, x[: args.limit], args.nll_samples, CHUNK)
    report = {
        "peer": "torch",
        "version": torch.__version__,
        "epochs": epochs,
        "k": args.k,
        "seed": args.seed,
        "train_seconds": seconds,
        "elbo": mean_and_error(recon[:, 0] - kl),
        "nll": mean_and_error(nll) | {"samples": args.nll_samples, "count": len(nll)},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
