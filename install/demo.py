"""`python3 install demo`: blends two pictures and a prompt through a daemon of its own."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from install.environment import Environment
from install.steps import InstallError, child_environment

HERE = Path(__file__).resolve().parent
ITEMS = (
    str(HERE / "pictures" / "star.png"),
    str(HERE / "pictures" / "ring.png"),
    "a white cross on a blue background",
)
START_LIMIT = 120.0  # s until the daemon must answer; a machine whose disk cache is cold is slow to import
STOP_LIMIT = 20.0  # s until a daemon that was asked to end is killed
NOTE = """
What drew it is Kandinsky 2.1's architecture on MindSpore, small enough to ship with the program: it knows coloured
shapes only, at 128 px. The picture in the middle is demo-output/blend.png, and carries its recipe. Go on with:
"""
FULL_NOTE = """
The full model draws what you like, after a download of 13 GB from the Hugging Face hub at its first picture:
"""


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Install the project, start a daemon, blend, and print where the sheet is."""
    if arguments:
        raise InstallError(f"demo takes no arguments, and was given {' '.join(arguments)}.")
    environment.ensure()
    output = environment.project / "demo-output"
    output.mkdir(exist_ok=True)
    began = time.monotonic()
    with running_daemon(environment, output / "daemon.log") as variables:
        show_and_run([str(environment.python), str(HERE / "demo_sheet.py"), *ITEMS, str(output)], variables)
    print(f"\nNine blends, {time.monotonic() - began:.0f} s from the daemon's start to its end: {output / 'sheet.png'}")
    print(NOTE)
    blend = str(environment.script("kandinsky-blend"))
    middle = str(output / "blend.png")
    print(shlex.join([blend, "again", middle, "--weights", "0.1", "0.7", "0.2", "-o", "other.png"]))
    print(
        shlex.join([blend, "generate", "--prompt", "ein blauer Kreis auf gelbem Hintergrund", "1", "-o", "circle.png"])
    )
    print(FULL_NOTE)
    print(shlex.join([blend, "stop"]))
    print(shlex.join([blend, "start", "--model", "kandinsky-2-1"]))
    return 0


def show_and_run(command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Run a command with its output on the terminal.

    Raises:
        InstallError: its exit code is not 0.
    """
    print(f"\n$ {shlex.join(command)}", flush=True)
    exit_code = subprocess.run(command, env=variables, check=False).returncode
    if exit_code != 0:
        raise InstallError(f"The command above ended with exit code {exit_code}.")


@contextmanager
def running_daemon(environment: Environment, log: Path) -> Iterator[Mapping[str, str]]:
    """Run a daemon for the length of the block; yields the environment variables of its clients.

    Its socket and its files lie in a new private folder, so that a daemon which the user runs is not disturbed.

    Raises:
        InstallError: it ended at once, or did not answer in time.
    """
    with tempfile.TemporaryDirectory(prefix="kandinsky-blend-") as private, log.open("wb") as output:
        variables = {**child_environment(), "KANDINSKY_BLEND_HOME": private}
        command = [str(environment.script("kandinsky-daemon"))]
        print(f"\n$ {shlex.join(command)} &", flush=True)
        with subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                _wait_for_answer(environment, variables, process, log)
                yield variables
            finally:
                _stop(process)


def _wait_for_answer(
    environment: Environment, variables: Mapping[str, str], process: subprocess.Popen[bytes], log: Path
) -> None:
    status = [str(environment.script("kandinsky-blend")), "status"]
    deadline = time.monotonic() + START_LIMIT
    while subprocess.run(status, env=variables, capture_output=True, check=False).returncode != 0:
        if process.poll() is not None:
            raise InstallError(f"The daemon ended at once with exit code {process.returncode}: see {log}.")
        if time.monotonic() > deadline:
            raise InstallError(f"The daemon did not answer within {START_LIMIT:.0f} s: see {log}.")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
