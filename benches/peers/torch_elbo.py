"""Trains the twin of one of our models with PyTorch on the CPU and prints its ELBO on the test images as one line of JSON:
for quality, not for speed.

python torch_elbo.py {conv-mnist,resnet-mnist,dcgan-64,gaussian-shared} [--epochs 10] [--seed 0] [--data FOLDER]

conv-mnist, resnet-mnist and dcgan-64 are the presets of `vae-gpu train`; gaussian-shared is 784-400-20 on grey pixels with
`--likelihood gaussian-learned --variance shared`. dcgan-64 wants a FOLDER with train and test, of pictures of 64 x 64 in
folders below: that of `make emoji`. B rows, D data, Z latent.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import common
import mnist


def mirrored(channels: tuple[int, ...], normal: bool) -> tuple[list[nn.Module], list[nn.Module]]:
    """Convolutions of 4 x 4 that halve a picture, and transposed ones back. All but the first and the last may be normalised
    by 8 groups."""
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for i, (given, made) in enumerate(zip(channels, channels[1:])):
        norm = [nn.GroupNorm(8, made)] if normal and i > 0 else []
        encoder += [nn.Conv2d(given, made, 4, 2, 1), *norm, nn.ReLU()]
        norm = [nn.GroupNorm(8, given)] if normal and i > 1 else []
        decoder = [nn.ConvTranspose2d(made, given, 4, 2, 1), *norm, nn.ReLU(), *decoder]
    return encoder, decoder[:-1]


class Block(nn.Module):
    """elu(shortcut(x) + layers(x)) with two convolutions of 3 x 3, the first of which changes the size."""

    def __init__(self, first: nn.Module, shortcut: nn.Module, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(first, nn.ELU(), nn.Conv2d(channels, channels, 3, 1, 1))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.shortcut(x) + self.layers(x))


def halving(given: int, made: int) -> Block:
    return Block(nn.Conv2d(given, made, 3, 2, 1), nn.Conv2d(given, made, 1, 2), made)


def doubling(given: int, made: int, even: bool) -> Block:
    first = nn.ConvTranspose2d(given, made, 3, 2, 1, output_padding=int(even))
    if even:
        return Block(first, nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(given, made, 1)), made)
    return Block(first, nn.ConvTranspose2d(given, made, 1, 2), made)


@dataclass(frozen=True)
class Model:
    encoder: nn.Sequential
    decoder: nn.Sequential
    width: int  # what the encoder gives
    latent: int
    shared: bool  # a Gaussian with one variance, or else Bernoulli
    batch: int
    epochs: int


def conv_mnist() -> Model:
    encoder, decoder = mirrored((1, 32, 64), normal=False)
    first = [nn.Linear(20, 256), nn.ReLU(), nn.Linear(256, 64 * 49), nn.ReLU(), nn.Unflatten(1, (64, 7, 7))]
    return Model(
        nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *encoder, nn.Flatten(), nn.Linear(64 * 49, 256), nn.ReLU()),
        nn.Sequential(*first, *decoder, nn.Flatten()),
        width=256, latent=20, shared=False, batch=128, epochs=10,
    )  # fmt: skip


def resnet_mnist() -> Model:
    down = [halving(1, 16), halving(16, 32), halving(32, 32)]
    up = [doubling(32, 32, even=False), doubling(32, 32, even=True), doubling(32, 16, even=True)]
    first = [nn.Linear(32, 450), nn.ELU(), nn.Linear(450, 32 * 16), nn.ELU(), nn.Unflatten(1, (32, 4, 4))]
    return Model(
        nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *down, nn.Flatten(), nn.Linear(32 * 16, 450), nn.ELU()),
        nn.Sequential(*first, *up, nn.Conv2d(16, 1, 3, 1, 1), nn.Flatten()),
        width=450, latent=32, shared=False, batch=100, epochs=2000,
    )  # fmt: skip


def dcgan_64() -> Model:
    encoder, decoder = mirrored((3, 64, 128, 256, 512), normal=True)
    first = [nn.Linear(100, 512 * 16), nn.Unflatten(1, (512, 4, 4)), nn.GroupNorm(8, 512), nn.ReLU()]
    return Model(
        nn.Sequential(nn.Unflatten(1, (3, 64, 64)), *encoder, nn.Flatten()),
        nn.Sequential(*first, *decoder, nn.Flatten()),
        width=512 * 16, latent=100, shared=True, batch=64, epochs=20,
    )  # fmt: skip


def gaussian_shared() -> Model:
    return Model(
        nn.Sequential(nn.Linear(784, 400), nn.ReLU()),
        nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784)),
        width=400, latent=20, shared=True, batch=128, epochs=10,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "conv-mnist": conv_mnist,
    "resnet-mnist": resnet_mnist,
    "dcgan-64": dcgan_64,
    "gaussian-shared": gaussian_shared,
}


class Vae(nn.Module):
    def __init__(self, model: Model) -> None:
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder
        self.mu = nn.Linear(model.width, model.latent)
        self.log_var = nn.Linear(model.width, model.latent)
        self.own = nn.Parameter(torch.zeros(())) if model.shared else None

    def elbo(self, grey: Tensor) -> Tensor:
        """The ELBO [B] of one draw, in nats, of grey values [B, D], which a Bernoulli binarises first."""
        x = grey if self.own is not None else (torch.rand_like(grey) < grey).float()
        h = self.encoder(x)
        mu, log_var = self.mu(h), self.log_var(h)
        out = self.decoder(mu + torch.exp(log_var / 2) * torch.randn_like(mu))
        kl = (mu.square() + log_var.exp() - 1 - log_var).sum(dim=1) / 2
        if self.own is None:
            return -F.binary_cross_entropy_with_logits(out, x, reduction="none").sum(dim=1) - kl
        s = self.own
        return -((x - out).square() * torch.exp(-s) + s + math.log(2 * math.pi)).sum(dim=1) / 2 - kl


def folder_of_pictures(folder: Path) -> Tensor:
    from PIL import Image

    pictures = []
    for path in sorted(folder.rglob("*.png")):
        whole = Image.open(path).convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", whole.size, "black"), whole).convert("RGB")
        # Channels first, as the convolutions read them.
        pictures.append(torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(64, 64, 3).permute(2, 0, 1))
    return torch.stack(pictures).flatten(1).float() / 255


def data(folder: str | None) -> tuple[Tensor, Tensor]:
    if folder:
        return folder_of_pictures(Path(folder) / "train"), folder_of_pictures(Path(folder) / "test")
    train, test = (torch.from_numpy(mnist.images(split).copy()).float() / 255 for split in ("train", "test"))
    return train, test


def main() -> None:
    p = argparse.ArgumentParser(description="Trains the twin of a model with PyTorch, for its ELBO.")
    p.add_argument("model", choices=MODELS)
    p.add_argument("--epochs", type=int, help="the preset's own if not given")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--data", help="of dcgan-64")
    options = p.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    model = MODELS[options.model]()
    vae, epochs = Vae(model), options.epochs or model.epochs
    adam = torch.optim.Adam(vae.parameters(), lr=common.LEARNING_RATE, fused=True)
    train, test = data(options.data)
    steps, begin, elbos = math.ceil(len(train) / model.batch), time.perf_counter(), []
    for epoch in range(epochs):
        order = torch.randperm(len(train))
        for step in range(steps):
            if options.model == "resnet-mnist":
                share = (epoch + step / steps) / epochs
                adam.param_groups[0]["lr"] = common.LEARNING_RATE * (1 + math.cos(math.pi * share)) / 2
            loss = -vae.elbo(train[order[step * model.batch : (step + 1) * model.batch]]).mean()
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
        with torch.no_grad():
            elbos.append(torch.cat([vae.elbo(part) for part in test.split(500)]).mean().item())
        print(f"epoch {epoch + 1}/{epochs}  test {elbos[-1]:.2f}  {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    result = {"model": options.model, "seed": options.seed, "elbo": elbos[-1], "best": max(elbos), "epochs": epochs}
    print(json.dumps(result | {"seconds": time.perf_counter() - begin, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
