"""Runs vae-gpu and its peers in turn and prints a section of Markdown.

python compare.py [--rounds 5] [--steps 200] [--only steps|matmul|likelihood] [--out ../RESULTS.md]
"""

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common

HERE = Path(__file__).resolve().parent
HEADING = "## Beside other frameworks"

VAE_GPU = str(common.ROOT / "target" / "release" / "vae-gpu")
BURN = [str(HERE / "burn" / "target" / "release" / "burn-vae")]
"""The programs that `make peers` builds."""

OURS = [VAE_GPU, "bench", "--json"]


@dataclass(frozen=True)
class Config:
    """What is trained: a perceptron with these hidden layers, or convolutions with so many channels, 4 x 4 at every second
    position, and a linear layer of 256."""

    hidden: str
    latent: int
    activation: str
    batch: int
    conv: bool = False

    def title(self) -> str:
        if self.conv:
            return f"28x28 conv {self.hidden.replace(',', '-')}, linear 256, {self.latent} {self.activation}, batch {self.batch}"
        return f"784-{self.hidden.replace(',', '-')}-{self.latent} {self.activation}, batch {self.batch}"


CONFIGS = [
    Config("400", 20, "relu", 128),
    Config("200,200", 50, "tanh", 20),
    Config("200,200", 50, "tanh", 1024),
    Config("32,64,128", 20, "relu", 128, conv=True),
]


BURN_SHARE = 5
"""burn's wgpu backend runs a fifth of the steps: on a software adapter it would take minutes a run."""

LIKELIHOOD_SAMPLES = 5000
LIKELIHOOD_IMAGES = 200
LIKELIHOOD_HEADING = f"### log p(x) by importance sampling, 784-200-200-50, {LIKELIHOOD_SAMPLES} samples an image"


@dataclass
class Program:
    """A program and what its runs gave: JSON objects, or the reason why it has none."""

    name: str
    command: list[str]
    runs: list[dict[str, Any]] = field(default_factory=list)
    failure: str = ""

    def run(self, timeout: float) -> None:
        """Runs once more, if it has not failed before."""
        if self.failure:
            return
        print(f"  {self.name}", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        try:
            done = subprocess.run(self.command, cwd=HERE, capture_output=True, text=True, timeout=timeout)
        except FileNotFoundError:
            self.failure = f"not built: {Path(self.command[0]).name} is missing"
        except subprocess.TimeoutExpired:
            self.failure = f"not done after {timeout:.0f} s"
        else:
            if done.returncode == 0:
                seconds = {"process_seconds": time.perf_counter() - begin}
                self.runs.append(json.loads(done.stdout) | seconds)
            else:
                self.failure = reason(done.stderr) or f"exit code {done.returncode}"

    def median(self, value: Callable[[dict[str, Any]], float]) -> float:
        return statistics.median(map(value, self.runs))


def reason(stderr: str) -> str:
    """The line that says what went wrong: the last one that names an error, or the last one."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|panicked", line, re.IGNORECASE)]
    return (errors or lines or [""])[-1][:200].replace("|", "\\|")


def has_cuda() -> bool:
    return shutil.which("nvidia-smi") is not None


def trainers(config: Config, args: argparse.Namespace) -> list[Program]:
    """Ours first, as they are called, then the peers."""
    model = ["--hidden", config.hidden, "--latent", str(config.latent), "--activation", config.activation]
    layers = [f"conv {channels}x4/2" for channels in config.hidden.split(",")] + ["linear 256"]
    ours = ["--encoder", ", ".join(layers), *model[2:]] if config.conv else model
    burn = [*BURN, *(["--conv"] if config.conv else []), "--backend"]
    length = ["--steps", str(args.steps), "--warmup", str(args.warmup)]
    few = ["--steps", str(burn_steps(args)), "--warmup", str(args.warmup)]
    step = ["--step", *ours, "--batch-size", str(config.batch), *length]
    peer = [*model, "--batch", str(config.batch), *length, "--threads", str(args.threads)]
    torch = [sys.executable, str(HERE / ("torch_conv.py" if config.conv else "torch_vae.py"))]
    jax = [sys.executable, str(HERE / "jax_vae.py")]
    commands = {name: [*command, *step] for name, command in ways(args).items()} | {
        "burn wgpu": [*burn, "wgpu", *model, "--batch", str(config.batch), *few],
        "burn flex": [*burn, "flex", *peer],
        "torch eager, fused Adam": [*torch, "eager", *peer],
        "torch compile, fused Adam": [*torch, "compile", *peer],
    }
    # JAX's program has no convolutions, and torch_conv.py no default Adam.
    if not config.conv:
        commands |= {"torch eager, default Adam": [*torch, "eager-plain", *peer], "jax": [*jax, "cpu", *peer]}
    if has_cuda():
        commands |= {
            "torch eager, CUDA": [*torch, "eager-cuda", *peer],
            "torch compile, CUDA": [*torch, "compile-cuda", *peer],
        }
        if not config.conv:
            commands["jax, CUDA"] = [*jax, "cuda", *peer]
    return [Program(name, command) for name, command in commands.items()]


def ways(args: argparse.Namespace) -> dict[str, list[str]]:
    """How vae-gpu's bench is called, by name: as it is built, and as `--way` says."""
    named = (way.partition("=") for way in args.way)
    return {"vae-gpu": OURS} | {f"vae-gpu, {name}": [*shlex.split(command), *OURS] for name, _, command in named}


def burn_steps(args: argparse.Namespace) -> int:
    """Steps of burn's wgpu backend."""
    steps: int = args.steps
    return max(steps // BURN_SHARE, common.PARTS)


def steps_table(config: Config, programs: list[Program], ours: int) -> list[str]:
    """One row a program, of which the first `ours` are ours."""
    heads = " | ".join(f"{program.name} is x times as fast" for program in programs[:ours])
    lines = [
        f"### {config.title()}",
        "",
        f"| program | version | device | ms a step | images/s | {heads} | loss |",
        f"| --- | --- | --- | ---: | ---: | {'---: | ' * ours}--- |",
    ]
    for program in programs:
        if not program.runs or program.failure:
            lines.append(f"| {program.name} | failed: {program.failure} | | | {'| ' * ours}| |")
            continue
        last = program.runs[-1]
        ms = program.median(lambda run: run["ms_per_step"])
        speed = program.median(lambda run: run["images_per_second"])
        ratio = " | ".join("" if mine is program else times(program, mine) for mine in programs[:ours])
        loss = f"{last['loss_first']:.1f} to {last['loss_last']:.1f}"
        lines.append(
            f"| {program.name} | {last['version']} | {last['device']} | {ms:.3f} | {speed:.0f} | {ratio} | {loss} |"
        )
    return [*lines, ""]


def times(theirs: Program, ours: Program) -> str:
    """How many times as fast ours is: the median over rounds."""
    if ours.failure or not ours.runs:
        return ""
    pairs = zip(theirs.runs, ours.runs, strict=False)
    return f"{statistics.median(a['ms_per_step'] / b['ms_per_step'] for a, b in pairs):.2f}"


Shape = tuple[str, int, int, int]


def gflops(rows: list[dict[str, Any]]) -> dict[Shape, dict[str, Any]]:
    """Rows by layout and M, K, N: of ours, those of the variant that a plan takes."""
    return {(r["layout"], r["m"], r["k"], r["n"]): r for r in rows if r.get("chosen", True)}


def matmul_table(ours: Program, torch: Program) -> list[str]:
    """One row a shape."""
    lines = [f"### Matrix products, float32: {ours.name}", ""]
    for program in (ours, torch):
        if program.failure:
            lines += [f"{program.name} failed: {program.failure}", ""]
    if torch.failure or not torch.runs:
        return lines
    version, device = torch.runs[0]["version"], torch.runs[0]["device"]
    lines += [
        "N is an operand as it is multiplied, T a transposed one: a layer is NT, its input's gradient NN, its",
        "weight's TN. The variant is the one that vae-gpu takes by itself.",
        "",
        f"| layout | M x K x N | variant | vae-gpu, GFLOP/s | torch.mm {version} ({device}), GFLOP/s "
        "| vae-gpu is x times as fast |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    ours_by_shape = [gflops(run["matmul"]) for run in ours.runs]
    theirs_by_shape = [gflops(run["matmul"]) for run in torch.runs]
    for shape in theirs_by_shape[0]:
        layout, m, k, n = shape
        theirs = [rows[shape]["gflops"] for rows in theirs_by_shape]
        mine = [rows[shape]["gflops"] for rows in ours_by_shape if shape in rows]
        ratios = [a / b for a, b in zip(mine, theirs, strict=False)]
        left = ("", "", "")
        if mine:
            variant = ours_by_shape[-1][shape]["variant"]
            left = (variant, f"{statistics.median(mine):.1f}", f"{statistics.median(ratios):.2f}")
        lines.append(
            f"| {layout} | {m} x {k} x {n} | {left[0]} | {left[1]} | {statistics.median(theirs):.1f} | {left[2]} |"
        )
    return [*lines, ""]


def matmul(args: argparse.Namespace) -> list[str]:
    """Ours, and torch in the shapes that ours reports."""
    ours = [Program(name, command) for name, command in ways(args).items()]
    torch = Program("torch", [sys.executable, str(HERE / "torch_matmul.py"), "cuda" if has_cuda() else "cpu"])
    torch.command += ["--threads", str(args.threads)]
    for i in range(args.rounds):
        print(f"matmul, round {i + 1} of {args.rounds}", file=sys.stderr, flush=True)
        for program in ours:
            program.run(args.timeout)
        if i == 0 and ours[0].runs:
            shapes = [f"{layout}:{m}x{k}x{n}" for layout, m, k, n in gflops(ours[0].runs[0]["matmul"])]
            torch.command += ["--shapes", ",".join(shapes)]
        torch.run(args.timeout)
    return [line for program in ours for line in matmul_table(program, torch)]


def likelihood_table(ours: Program, torch: Program) -> list[str]:
    """One row a program. Ours is timed from start to end of the process, torch without its start."""
    lines = [LIKELIHOOD_HEADING, ""]
    failed = [f"{program.name} failed: {program.failure}" for program in (ours, torch) if program.failure]
    if failed:
        return [*lines, *failed, ""]
    speeds = [
        [run["count"] / run["process_seconds"] for run in ours.runs],
        [run["images_per_second"] for run in torch.runs],
    ]
    ratio = statistics.median(a / b for a, b in zip(*speeds, strict=True))
    lines += ["| program | images | -log p(x) | images/s | of torch's |", "| --- | ---: | ---: | ---: | ---: |"]
    for program, speed, share in zip((ours, torch), speeds, (f"{ratio:.2f}", ""), strict=True):
        last = program.runs[-1]
        nll = f"{last['nll']['mean']:.2f} +- {last['nll']['standard_error']:.2f}"
        lines.append(f"| {program.name} | {last['count']} | {nll} | {statistics.median(speed):.1f} | {share} |")
    return [*lines, ""]


def likelihood(args: argparse.Namespace) -> list[str]:
    """Both on a model that is trained for the purpose; each draws its own binary pixels."""
    limit = ["--limit", str(LIKELIHOOD_IMAGES)]
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        model = ["--hidden", "200,200", "--latent", "50", "--activation", "tanh"]
        try:
            train = [VAE_GPU, "train", *model, "--epochs", "1", "--out", run]
            subprocess.run(train, check=True, capture_output=True, timeout=args.timeout)
        except (OSError, subprocess.SubprocessError) as error:
            return [LIKELIHOOD_HEADING, "", f"no model to measure: {error}", ""]
        evaluate = [VAE_GPU, "evaluate", run, "--nll-samples", str(LIKELIHOOD_SAMPLES), *limit, "--json"]
        ours = Program("vae-gpu", evaluate)
        nll = [sys.executable, str(HERE / "torch_nll.py"), run, "--samples", str(LIKELIHOOD_SAMPLES), *limit]
        torch = Program("torch, CPU", [*nll, "--threads", str(args.threads)])
        for i in range(args.rounds):
            print(f"likelihood, round {i + 1} of {args.rounds}", file=sys.stderr, flush=True)
            ours.run(args.timeout)
            torch.run(args.timeout)
    return likelihood_table(ours, torch)


def machine() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (found := re.search(r"model name\s*:\s*(.*)", cpuinfo.read_text())):
        return found[1]
    return platform.processor() or platform.machine()


def preface(args: argparse.Namespace) -> list[str]:
    load = f", load average {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return [
        HEADING,
        "",
        f"{datetime.date.today()}, {machine()}, {common.cores()} cores{load}. {args.rounds} rounds; in each, every",
        f"program ran once. Times are medians over rounds of the median of {common.PARTS} parts of {args.steps} steps",
        f"(burn wgpu: of {burn_steps(args)}); ratios are medians of the ratios within a round. The loss is the mean of",
        f"the first and of the last {common.LOSSES} steps, -ELBO in nats per image."
        + ("" if has_cuda() else " This machine has no CUDA."),
        "",
    ]


def put(path: Path, section: str) -> None:
    """Replaces the section in a file, or appends it."""
    text = path.read_text() if path.exists() else ""
    old = re.compile(rf"^{re.escape(HEADING)}$.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if old.search(text):
        text = old.sub(lambda _: section, text)
    else:
        text = f"{text.rstrip()}\n\n{section}" if text else section
    path.write_text(text)


def main() -> None:
    p = argparse.ArgumentParser(description="Runs vae-gpu and its peers in turn and prints a section of Markdown.")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, default=200, help="steps that are timed in each run")
    p.add_argument("--warmup", type=int, default=20)
    p.add_argument("--threads", type=int, default=common.cores(), help="threads of CPU backends [default: all cores]")
    p.add_argument("--timeout", type=float, default=900, help="seconds after which a run has failed")
    p.add_argument("--only", choices=["steps", "matmul", "likelihood"])
    p.add_argument("--way", action="append", default=[], metavar="NAME=PREFIX",
                   help="measure vae-gpu as it runs behind this prefix, too: 'Mesa 26=../../tests/newer-mesa.sh'")
    p.add_argument("--out", type=Path, help="put the section into this file too")
    args = p.parse_args()
    if any("=" not in way for way in args.way):
        p.error("--way wants NAME=PREFIX, such as '512 bits=env LP_NATIVE_VECTOR_WIDTH=512'")
    if args.rounds < 1:
        p.error("--rounds must be 1 at least")

    section = ""

    def add(lines: list[str]) -> None:
        """Prints and writes what is known so far: a comparison that is broken off has said all it knew."""
        nonlocal section
        text = "\n".join([*lines, ""])
        section += text
        print(text, end="", flush=True)
        if args.out:
            put(args.out, section)

    add(preface(args))
    if args.only in (None, "steps"):
        for config in CONFIGS:
            programs = trainers(config, args)
            for i in range(args.rounds):
                print(f"{config.title()}, round {i + 1} of {args.rounds}", file=sys.stderr, flush=True)
                for program in programs:
                    program.run(args.timeout)
            add(steps_table(config, programs, 1 + len(args.way)))
    if args.only in (None, "matmul"):
        add(matmul(args))
    if args.only in (None, "likelihood"):
        add(likelihood(args))


if __name__ == "__main__":
    main()
