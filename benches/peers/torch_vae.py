"""Trains the benchmark's VAE with PyTorch and prints its speed as one line of JSON.

python torch_vae.py {eager,eager-plain,compile,eager-cuda,compile-cuda} [--hidden 400] [--latent 20] ...
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import common
import mnist


class Vae(nn.Module):
    """A mirrored multilayer perceptron with a Bernoulli decoder. Dimensions: B batch rows, D data, Z latent."""

    def __init__(self, dim: int, options: common.Options) -> None:
        super().__init__()
        activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[options.activation]

        def stack(widths: tuple[int, ...]) -> nn.Sequential:
            layers = [(nn.Linear(*pair), activation()) for pair in pairwise(widths)]
            return nn.Sequential(*(module for layer in layers for module in layer))

        self.encoder = stack((dim, *options.hidden))
        self.mu = nn.Linear(options.hidden[-1], options.latent)
        self.log_var = nn.Linear(options.hidden[-1], options.latent)
        self.decoder = stack((options.latent, *reversed(options.hidden)))
        self.out = nn.Linear(options.hidden[0], dim)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                # Uniform in +-1/sqrt(fan_in), as everywhere in this comparison.
                bound = layer.in_features**-0.5
                nn.init.uniform_(layer.weight, -bound, bound)
                nn.init.uniform_(layer.bias, -bound, bound)

    def forward(self, images: Tensor, rows: Tensor) -> Tensor:
        """-ELBO in nats, averaged over the rows [B] of the bytes `images` [N, D]; each byte is a probability."""
        p = images[rows].float() / 255
        x = (torch.rand_like(p) < p).float()
        h = self.encoder(x)
        mu, log_var = self.mu(h), self.log_var(h)
        z = mu + torch.exp(log_var / 2) * torch.randn_like(mu)
        logits = self.out(self.decoder(z))
        minus_recon = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = (mu.square() + log_var.exp() - 1 - log_var).sum() / 2
        loss: Tensor = (minus_recon + kl) / len(x)
        return loss


def peer(options: common.Options, kind: type[Vae] = Vae) -> common.Peer:
    mode, _, rest = options.variant.partition("-")
    where = rest if rest == "cuda" else ""
    device = torch.device(where or "cpu")
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    images = torch.from_numpy(mnist.images().copy()).to(device)
    model = kind(images.shape[1], options).to(device)
    adam = torch.optim.Adam(model.parameters(), lr=common.LEARNING_RATE, fused=rest != "plain")

    # The fastest documented mode of each device; on CUDA it records CUDA graphs.
    loss_of: Callable[[Tensor, Tensor], Tensor] = model
    if mode == "compile":
        loss_of = torch.compile(model, mode="reduce-overhead" if where else "default")
    order = torch.empty(0, dtype=torch.int32, device=device)
    loss = torch.empty(())

    def upload(rows: mnist.Rows) -> None:
        nonlocal order
        order = torch.from_numpy(rows).to(device)

    batches = mnist.Order(len(images), options.batch, options.seed, upload)

    def step() -> None:
        nonlocal loss
        at = batches.advance()
        adam.zero_grad(set_to_none=True)
        loss = loss_of(images, order[at : at + options.batch])
        loss.backward()
        adam.step()

    def wait() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return loss.item()

    name = torch.cuda.get_device_name() if where else f"CPU, {options.threads} threads"
    return common.Peer(f"torch {options.variant}", torch.__version__, name, step, wait)


if __name__ == "__main__":
    options = common.parse(
        "Trains the benchmark's VAE with PyTorch.", ["eager", "eager-plain", "compile", "eager-cuda", "compile-cuda"]
    )
    common.run(options, peer(options))
