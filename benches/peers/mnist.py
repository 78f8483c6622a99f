"""The data: MNIST's images, and the order in which they are seen."""

from collections.abc import Callable

import brotli
import numpy as np
import numpy.typing as npt

import common

FOLDER = common.ROOT / "data" / "mnist"
FILES = {"train": "train-images-idx3-ubyte.br", "test": "t10k-images-idx3-ubyte.br"}

Rows = npt.NDArray[np.int32]
"""Numbers of images."""


def images(split: str = "train") -> npt.NDArray[np.uint8]:
    """MNIST's images [N, D] of a split, train or test."""
    path = FOLDER / FILES[split]
    data = brotli.decompress(path.read_bytes())
    magic, count, height, width = np.frombuffer(data, ">u4", 4)
    if magic != 0x0803:
        raise SystemExit(f"{path} is no IDX file of images")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, height * width)


class Order:
    """Which images are in a batch: a new random order each epoch; a short last batch is left out."""

    def __init__(self, count: int, batch: int, seed: int, upload: Callable[[Rows], None]) -> None:
        self.count, self.batch, self.upload = count, batch, upload
        self.rng = np.random.default_rng(seed)
        self.next = count

    def advance(self) -> int:
        """The place of the next batch in the order; hands a new order to `upload` when the old one is used up."""
        if self.next + self.batch > self.count:
            self.upload(self.rng.permutation(self.count).astype(np.int32))
            self.next = 0
        self.next += self.batch
        return self.next - self.batch
