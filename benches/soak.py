"""Trains for half an hour and watches the process from outside: memory, speed, handles.

    python3 benches/soak.py [--minutes 30] [--busy] [--program target/release/vae-gpu] [flags of `vae-gpu train`]

Prints a line a minute and fails where, after the first two minutes, resident memory leaves +-5 % of what it was, the speed
of the last five minutes is below 90 % of that of the first five, or files and threads become more. Speed is images a
second; with --busy, on a software adapter of a machine that does other work too, steps a second of processor time.
Linux only: it reads /proc.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 2
"""Minutes before anything is judged: shaders are compiled, caches fill."""
MEMORY = 0.05
SPEED = 0.10
COMPARED = 5
"""Minutes at the beginning and at the end whose medians tell the speed."""


@dataclass
class Minute:
    """What was seen at the end of a minute."""

    step: int
    images_per_second: float
    steps_per_cpu_second: float
    mebibytes: float
    files: int
    threads: int

    def row(self, number: int) -> str:
        cells = [
            f"{number} | {self.step} | {self.images_per_second:.0f} | {self.steps_per_cpu_second:.1f}",
            f"{self.mebibytes:.1f} | {self.files} | {self.threads}",
        ]
        return f"| {' | '.join(cells)} |"


def cpu_seconds(pid: int) -> float:
    """Processor time that the process has had."""
    # What stands behind the program's name in parentheses; user and system time are its 12th and 13th word.
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")


class Epochs:
    """The lines of JSON that the program prints, read as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.rows: list[dict[str, float]] = []
        self.reader = threading.Thread(target=self.read, args=(process,), daemon=True)
        self.reader.start()

    def read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "epoch":
                self.rows.append(event | {"cpu_seconds": cpu_seconds(process.pid)})

    def take(self) -> list[dict[str, float]]:
        """Those since the last call."""
        taken, self.rows = self.rows, []
        return taken


def watch(process: "subprocess.Popen[str]", minutes: int) -> Iterator[Minute]:
    epochs = Epochs(process)
    proc = Path(f"/proc/{process.pid}")
    step, spent = 0, 0.0
    for number in range(1, minutes + 1):
        time.sleep(60)
        if process.poll() is not None:
            sys.exit(f"the program ended in minute {number} with exit code {process.returncode}")
        rows = epochs.take()
        if not rows:
            sys.exit(f"no epoch ended in minute {number}: use a smaller model or less data")
        steps_before, step = step, int(rows[-1]["step"])
        before, spent = spent, rows[-1]["cpu_seconds"]
        pages = int((proc / "statm").read_text().split()[1])
        yield Minute(
            step=step,
            images_per_second=statistics.median(row["images_per_second"] for row in rows),
            steps_per_cpu_second=(step - steps_before) / (spent - before),
            mebibytes=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            files=len(list((proc / "fd").iterdir())),
            threads=len(list((proc / "task").iterdir())),
        )


def judge(minutes: list[Minute], busy: bool) -> list[str]:
    """What is not as it should be."""
    first, later = minutes[WARM_UP], minutes[WARM_UP + 1 :]
    problems = []

    def speed(some: list[Minute]) -> float:
        return statistics.median(m.steps_per_cpu_second if busy else m.images_per_second for m in some)

    at_first, at_last = speed(minutes[WARM_UP : WARM_UP + COMPARED]), speed(minutes[-COMPARED:])
    if at_last < (1 - SPEED) * at_first:
        unit = "steps a second of processor time" if busy else "images/s"
        problems.append(f"{at_last:.1f} {unit} in the last minutes, {at_first:.1f} in the first")
    for number, minute in enumerate(later, start=WARM_UP + 2):
        if abs(minute.mebibytes / first.mebibytes - 1) > MEMORY:
            problems.append(f"minute {number}: {minute.mebibytes:.1f} MiB, {first.mebibytes:.1f} at first")
        if minute.files > first.files or minute.threads > first.threads:
            problems.append(f"minute {number}: {minute.files} files and {minute.threads} threads")
    return problems


def main() -> None:
    p = argparse.ArgumentParser(description="Trains for half an hour and watches the process.")
    p.add_argument("--minutes", type=int, default=30)
    p.add_argument("--busy", action="store_true", help="judge the speed by processor time")
    p.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "vae-gpu")
    args, flags = p.parse_known_args()
    if args.minutes < WARM_UP + 2:
        p.error(f"--minutes must be {WARM_UP + 2} at least")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(args.program), "train", "--out", f"{folder}/run", "--epochs", "100000", "--log-format", "json"]
        process = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True)
        print("| minute | step | images/s | steps/s of CPU time | MiB resident | open files | threads |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        minutes = []
        try:
            for minute in watch(process, args.minutes):
                minutes.append(minute)
                print(minute.row(len(minutes)), flush=True)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    problems = judge(minutes, args.busy)
    steps = minutes[-1].step
    print(f"\n{steps} steps; " + ("memory, speed and handles stayed as they were" if not problems else "not as it was:"))
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
