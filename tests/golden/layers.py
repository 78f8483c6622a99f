"""Layers named by a text, as on the command line, with PyTorch's own convolutions.

`linear N`, `linear HxWxC`, `conv CxK/S pad P`, `deconv CxK/S pad P to HxW`, `norm batch`: sizes are height x width. In a
decoder's last layer the likelihood's parts take the place of C. The padding and the size of a `deconv` are always named here.
"""

from dataclasses import dataclass
from math import prod

import torch
from torch.nn import functional as F

Shape = tuple[int, ...]  # of a datum: (features,) or (channels, height, width), as PyTorch orders them


@dataclass(frozen=True)
class Layer:
    kind: str  # linear, conv, deconv, norm
    channels: int  # 0 in a norm and a decoder's last layer; features of a linear layer that gives a row
    kernel: int = 0
    stride: int = 1
    pad: int = 0
    size: tuple[int, int] | None = None  # height, width of what a deconv, or a linear layer to a picture, gives


def parse(text: str) -> list[Layer]:
    return [one(words.split()) for words in text.split(",")]


def one(words: list[str]) -> Layer:
    kind, first, *rest = words
    if kind == "norm":
        return Layer(kind, 0)
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    if kind == "linear":
        *size, channels = (int(n) for n in first.split("x"))
        return Layer(kind, channels, size=tuple(size) or None)
    taps, stride = first.split("/") if "/" in first else (first, "1")
    channels, kernel = taps.split("x") if "x" in taps else ("0", taps)
    size = tuple(int(n) for n in options["to"].split("x")) if "to" in options else None
    return Layer(kind, int(channels), int(kernel), int(stride), int(options["pad"]), size)


def weight_shape(layer: Layer, given: Shape, outputs: int) -> Shape:
    """PyTorch's shape of the weight of a layer that reads `given` and has so many channels or features."""
    if layer.kind == "linear":
        return (outputs * prod(layer.size or (1,)), prod(given))
    if layer.kind == "norm":
        return given[:1]
    square = (layer.kernel, layer.kernel)
    return (outputs, given[0], *square) if layer.kind == "conv" else (given[0], outputs, *square)


def output_shape(layer: Layer, given: Shape, outputs: int) -> Shape:
    if layer.kind == "norm":
        return given
    if layer.kind == "linear":
        return (outputs, *layer.size) if layer.size else (outputs,)
    if layer.kind == "deconv":
        return (outputs, *layer.size)
    return (outputs, *((side + 2 * layer.pad - layer.kernel) // layer.stride + 1 for side in given[1:]))


def apply(layer: Layer, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    if layer.kind == "linear":
        y = F.linear(x.flatten(1), weight, bias)
        return y.unflatten(1, (layer.channels, *layer.size)) if layer.size else y
    if layer.kind == "norm":
        return F.batch_norm(x, None, None, weight, bias, training=True)
    if layer.kind == "conv":
        return F.conv2d(x, weight, bias, layer.stride, layer.pad)
    least = [(side - 1) * layer.stride + layer.kernel - 2 * layer.pad for side in x.shape[2:]]
    more = [side - low for side, low in zip(layer.size, least, strict=True)]
    return F.conv_transpose2d(x, weight, bias, layer.stride, layer.pad, more)

