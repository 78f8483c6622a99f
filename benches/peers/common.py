"""What every Python program of this comparison shares: flags, the clock and the line of JSON. Needs no package."""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LEARNING_RATE = 1e-3
PARTS = 5
"""Equal parts of the timed steps, each from an idle to an idle device; the median of them counts."""
LOSSES = 10
"""Steps whose losses are averaged at the beginning and at the end."""


@dataclass(frozen=True)
class Options:
    """The flags that every program has."""

    hidden: tuple[int, ...]
    """Widths of the encoder's hidden layers; the decoder mirrors them."""
    latent: int
    activation: str
    batch: int
    steps: int
    warmup: int
    threads: int
    seed: int
    variant: str
    """One of the program's own variants, such as a device or a mode."""


def parse(description: str, variants: list[str]) -> Options:
    """Reads the command line."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("variant", choices=variants)
    p.add_argument("--hidden", default="400", help="widths of the encoder's hidden layers, such as 200,200")
    p.add_argument("--latent", type=int, default=20)
    p.add_argument("--activation", choices=["relu", "tanh"], default="relu")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--steps", type=int, default=200, help="steps that are timed")
    p.add_argument("--warmup", type=int, default=20, help="steps before the clock starts: compilation and tuning")
    p.add_argument("--threads", type=int, default=cores(), help="threads of a CPU backend [default: all cores]")
    p.add_argument("--seed", type=int, default=0)
    values = vars(p.parse_args())
    if values["warmup"] < LOSSES or values["steps"] < PARTS:
        p.error(f"--warmup must be {LOSSES} at least, --steps {PARTS}")
    hidden = tuple(int(width) for width in values.pop("hidden").split(","))
    return Options(hidden=hidden, **values)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Peer:
    """A program ready to train: `step` starts one step, `wait` waits for all and gives the last loss in nats."""

    name: str
    version: str
    device: str
    step: Callable[[], None]
    wait: Callable[[], float]


def run(options: Options, peer: Peer) -> None:
    """Trains, times, prints the line of JSON, and fails where the loss did not fall."""
    loss_first = losses(peer)
    for _ in range(LOSSES, options.warmup):
        peer.step()
    peer.wait()
    each = options.steps // PARTS
    seconds: list[float] = []
    for _ in range(PARTS):
        begin = time.perf_counter()
        for _ in range(each):
            peer.step()
        peer.wait()
        seconds.append((time.perf_counter() - begin) / each)
    loss_last = losses(peer)
    step = statistics.median(seconds)
    report = {
        "peer": peer.name,
        "version": peer.version,
        "device": peer.device,
        "ms_per_step": step * 1e3,
        "images_per_second": options.batch / step,
        "loss_first": loss_first,
        "loss_last": loss_last,
    }
    print(json.dumps(report))
    if not loss_last < 0.8 * loss_first:
        sys.exit(f"the loss went from {loss_first} to {loss_last}: this is no training")


def losses(peer: Peer) -> float:
    """The mean loss of a few steps, which are not timed."""
    total = 0.0
    for _ in range(LOSSES):
        peer.step()
        total += peer.wait()
    return total / LOSSES
