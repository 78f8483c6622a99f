"""Trains a convolutional VAE with PyTorch and prints its speed as one line of JSON.

python torch_conv.py eager --hidden 32,64,128 ...

--hidden names the channels of the encoder's convolutions, 4 x 4 at every second position; a linear layer of 256 follows, and
the decoder mirrors them. It is what `--encoder "conv 32x4/2, conv 64x4/2, conv 128x4/2, linear 256"` trains.
"""

from torch import nn

import common
import torch_vae

SIDE = 28
LINEAR = 256


class ConvVae(torch_vae.Vae):
    """Two stacks of convolutions. Dimensions: B batch rows, C channels, Z latent."""

    def __init__(self, dim: int, options: common.Options) -> None:
        nn.Module.__init__(self)
        activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[options.activation]
        sides, channels = [SIDE], [1, *options.hidden]
        encoder: list[nn.Module] = [nn.Unflatten(1, (1, SIDE, SIDE))]
        decoder: list[nn.Module] = []
        for given, made in zip(channels, channels[1:]):
            encoder += [nn.Conv2d(given, made, 4, 2, 1), activation()]
            sides.append(sides[-1] // 2)
            # Of an odd side a half is rounded down: the way back adds what is missing.
            back = nn.ConvTranspose2d(made, given, 4, 2, 1, output_padding=sides[-2] - 2 * sides[-1])
            decoder = [back, activation(), *decoder]
        decoder.pop()  # the likelihood reads logits
        picture = (channels[-1], sides[-1], sides[-1])
        numbers = channels[-1] * sides[-1] ** 2
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(numbers, LINEAR), activation())
        self.mu = nn.Linear(LINEAR, options.latent)
        self.log_var = nn.Linear(LINEAR, options.latent)
        first = [nn.Linear(options.latent, LINEAR), activation(), nn.Linear(LINEAR, numbers), activation()]
        self.decoder = nn.Sequential(*first, nn.Unflatten(1, picture), *decoder, nn.Flatten())
        # PyTorch's own initial weights are uniform in +-1/sqrt(fan_in) already.
        self.out = nn.Identity()


if __name__ == "__main__":
    options = common.parse("Trains a convolutional VAE with PyTorch.", ["eager", "eager-cuda", "compile", "compile-cuda"])
    common.run(options, torch_vae.peer(options, ConvVae))
