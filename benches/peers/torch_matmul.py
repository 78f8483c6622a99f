"""Times torch.mm and prints GFLOP/s as one line of JSON.

python torch_matmul.py {cpu,cuda} [--shapes NT:128x784x400,TN:784x128x400] [--threads 2]

A shape is M x K x N: the result has M rows and N columns, each value a sum of K terms. The layout says how the operands
lie in memory: N as they are multiplied, T transposed. A layer is NT, its input's gradient NN, its weight's gradient TN.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

import common

SHAPES = (
    "NN:512x512x512,NT:512x512x512,TN:512x512x512,"
    "NT:128x784x400,NN:128x784x400,TN:784x128x400,NT:128x400x784,TN:400x128x784,"
    "NT:128x400x40,NT:128x20x400,NN:128x400x20,TN:400x128x20,TN:40x128x400"
)
"""512 x 512 x 512 in every layout, and the products of a training step of 784-400-20 at batch 128."""

PARTS = 5
SECONDS = 0.1
"""A part lasts at least as long; the median of the parts counts."""


def product(layout: str, m: int, k: int, n: int, device: torch.device) -> Callable[[], object]:
    """A function that multiplies once."""
    a = torch.randn((k, m) if layout[0] == "T" else (m, k), device=device)
    b = torch.randn((n, k) if layout[1] == "T" else (k, n), device=device)
    a = a.T if layout[0] == "T" else a
    b = b.T if layout[1] == "T" else b
    out = torch.empty(m, n, device=device)
    return lambda: torch.mm(a, b, out=out)


def seconds(multiply: Callable[[], object], device: torch.device) -> float:
    """Seconds of one multiplication."""

    def timed(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            multiply()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    timed(10)
    count = 10
    while timed(count) < SECONDS:
        count *= 2
    return statistics.median(timed(count) / count for _ in range(PARTS))


def main() -> None:
    p = argparse.ArgumentParser(description="Times torch.mm.")
    p.add_argument("variant", choices=["cpu", "cuda"])
    p.add_argument("--shapes", default=SHAPES)
    p.add_argument("--threads", type=int, default=common.cores())
    args = p.parse_args()
    device = torch.device(args.variant)
    torch.set_num_threads(args.threads)
    rows = []
    for shape in args.shapes.split(","):
        layout, sizes = shape.split(":")
        m, k, n = map(int, sizes.split("x"))
        gflops = 2e-9 * m * k * n / seconds(product(layout, m, k, n, device), device)
        rows.append({"layout": layout, "m": m, "k": k, "n": n, "gflops": gflops})
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {args.threads} threads"
    print(json.dumps({"peer": "torch", "version": torch.__version__, "device": name, "matmul": rows}))


if __name__ == "__main__":
    main()
