"""Steps of the setup: each shows one line with its name and seconds, and its output goes to a log file."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Sequence


class InstallError(Exception):
    """The setup cannot go on. Its text is one sentence that says what is wrong and what to do."""


class StepFailed(InstallError):
    """A step's command failed; `output` is what it wrote, which the log holds too."""

    def __init__(self, title: str, output: str, log: Path) -> None:
        super().__init__(f"Failed: {title}. What it said is in {log}.")
        self.output = output
        self.log = log


def run_step(title: str, command: Sequence[object], cwd: Path, log: Path) -> None:
    """Run `command` in `cwd`, its output appended to `log`, while one line shows `title` and the seconds.

    Raises:
        StepFailed: the command's exit code is not 0.
    """
    arguments = [str(argument) for argument in command]
    started = time.monotonic()
    print(f"{title} ...", end="", flush=True)
    with log.open("a+", encoding="utf-8", errors="replace") as output:
        output.write(f"$ {' '.join(map(shlex.quote, arguments))}\n")
        output.flush()
        begin = output.tell()
        with subprocess.Popen(
            arguments, cwd=cwd, env=child_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            _show_seconds(title, process, started)
        print(f" {time.monotonic() - started:.0f} s", flush=True)
        if process.returncode != 0:
            output.seek(begin)
            raise StepFailed(title, output.read(), log)


def child_environment() -> dict[str, str]:
    """Return this process's environment without the variables that would lead another Python to other modules."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}


def _show_seconds(title: str, process: subprocess.Popen[bytes], started: float) -> None:
    """Wait for the process; on a terminal, count the seconds meanwhile."""
    while True:
        try:
            process.wait(timeout=1 if sys.stdout.isatty() else None)
        except subprocess.TimeoutExpired:
            print(f"\r{title} ... {time.monotonic() - started:.0f} s", end="", flush=True)
        else:
            print(f"\r{title} ..." if sys.stdout.isatty() else "", end="")
            return
