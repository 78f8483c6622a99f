"""Estimates log p(x) of MNIST's test images with PyTorch on the CPU, for a trained run of vae-gpu, as
`vae-gpu evaluate RUN --nll-samples S --limit N --json` does, and prints one line of JSON.

python torch_nll.py RUN [--samples 5000] [--limit 200]

The model: multilayer perceptrons with tanh and a Bernoulli decoder. The estimate, over samples z_k of q(z|x):
log p(x) = log mean_k p(x|z_k) p(z_k) / q(z_k|x) (Burda et al. 2015, section 5.1). B rows, D data, Z latent.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

import common
import mnist

CHUNK = 1000
"""Rows of z that pass through the decoder at once: of 100 to 5000 the fastest a core. The logits stay in its cache."""

Parameters = dict[str, Tensor]


def stack(parameters: Parameters, part: str, h: Tensor) -> Tensor:
    """The hidden layers of `encoder` or `decoder`."""
    for i in range(sum(name.startswith(f"{part}.") and name.split(".")[1].isdigit() for name in parameters) // 2):
        h = torch.addmm(parameters[f"{part}.{i}.bias"], h, parameters[f"{part}.{i}.weight"].T).tanh_()
    return h


def linear(parameters: Parameters, layer: str, h: Tensor) -> Tensor:
    return torch.addmm(parameters[f"{layer}.bias"], h, parameters[f"{layer}.weight"].T)


def log_likelihood(parameters: Parameters, x: Tensor, samples: int, chunk: int) -> Tensor:
    """log p(x) of each row of x [B, D], in nats."""
    h = stack(parameters, "encoder", x)
    mu, log_var = linear(parameters, "encoder.mu", h), linear(parameters, "encoder.log_var", h)
    sigma = torch.exp(log_var / 2)
    log_p = torch.empty(len(x))
    log_w = torch.empty(samples)
    for b in range(len(x)):
        for first in range(0, samples, chunk):
            part = log_w[first : first + chunk]
            eps = torch.randn(len(part), mu.shape[1])
            z = torch.addcmul(mu[b], sigma[b], eps)
            logits = linear(parameters, "decoder.out", stack(parameters, "decoder", z))
            torch.mv(logits, x[b], out=part)
            part -= F.softplus(logits).sum(dim=1)
            part += 0.5 * (eps.square_().sum(dim=1) - z.square_().sum(dim=1) + log_var[b].sum())
        log_p[b] = torch.logsumexp(log_w, dim=0) - math.log(samples)
    return log_p


def main() -> None:
    p = argparse.ArgumentParser(description="Importance-sampled log p(x) of MNIST's test images, on the CPU.")
    p.add_argument("run", type=Path, help="run directory of a model with tanh and a Bernoulli decoder")
    p.add_argument("--samples", type=int, default=5000, help="samples of z an image")
    p.add_argument("--limit", type=int, default=200, help="images, the first of the test set")
    p.add_argument("--threads", type=int, default=common.cores(), help="[default: all cores]")
    p.add_argument("--chunk", type=int, default=CHUNK, help=f"rows of z at once [default: {CHUNK}]")
    p.add_argument("--seed", type=int, default=0, help="of the pixels and of the samples")
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    parameters = load_file(args.run / "model.safetensors")
    grey = torch.from_numpy(mnist.images("test")[: args.limit].copy()).float() / 255
    x = (torch.rand_like(grey) < grey).float()

    with torch.inference_mode():
        log_likelihood(parameters, x[:2], args.samples, args.chunk)
        begin = time.perf_counter()
        nll = -log_likelihood(parameters, x, args.samples, args.chunk)
        seconds = time.perf_counter() - begin
    report = {
        "peer": "torch",
        "version": torch.__version__,
        "device": f"CPU, {args.threads} threads",
        "count": len(x),
        "samples": args.samples,
        "nll": {"mean": nll.mean().item(), "standard_error": nll.std().item() / math.sqrt(len(x))},
        "images_per_second": len(x) / seconds,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
