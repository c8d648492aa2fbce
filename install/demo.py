"""The main job, for real: two picture files and a prompt, each with a weight, through a daemon over ZeroMQ."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Sequence

from install.environment import Environment
from install.steps import InstallError, child_environment, run_step

PICTURES = Path(__file__).resolve().parent / "pictures"
START_LIMIT = 120.0  # s until the daemon must answer; a machine whose disk cache is cold is slow to import
STOP_LIMIT = 20.0  # s until a daemon that was asked to end is killed
STAND_IN_NOTE = """
The model behind this picture is a small stand-in with random weights: it has learnt nothing, so it draws textures and
not things. What ran is the whole path: pictures, prompt, weights, daemon, Kandinsky 2.1 on MindSpore. With the trained
weights (about 13 GB from the Hugging Face hub at the first run):
"""


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Install, start a daemon of the demo's own, blend, and say where the picture is."""
    if arguments:
        raise InstallError(f"demo takes no arguments, and was given {' '.join(arguments)}.")
    environment.ensure()
    output = environment.project / "demo-output"
    output.mkdir(exist_ok=True)
    picture = output / "blend.png"
    model = output / "stand-in-model"
    make_stand_in(environment, model, output / "stand-in-model.log")
    with running_daemon(environment, model, output / "daemon.log") as endpoint:
        settings = ["--size", "256x256", "--steps", "20", "--seed", "7", "-o", str(picture)]
        show_and_run([*generate(environment), *settings, "--endpoint", endpoint.address], endpoint.variables)
    print(f"\nThe picture is {picture}")
    print(STAND_IN_NOTE)
    print(shlex.join([*generate(environment), "-o", "blend.png"]))
    print("\nTo play on with the stand-in, start a daemon of your own with it; `kandinsky-blend stop` ends that one:\n")
    print(shlex.join([str(environment.script("kandinsky-blend")), "start", "--model", str(model)]))
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


def make_stand_in(environment: Environment, folder: Path, log: Path) -> None:
    """Write a small checkpoint with random weights, in the published layout, instead of what is in `folder`.

    It is put there when it is whole: a daemon of the user's may be working with the one of an earlier run.
    """
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [environment.python, "-m", "tests.random_checkpoint", unfinished, "--size", "tiny_a", "--dtype", "fp32"]
    run_step("making a small stand-in model", command, environment.project, log)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def generate(environment: Environment) -> list[str]:
    """The command line that blends the demo's prompt and pictures, up to its settings."""
    items = [
        *("--prompt", "a cat", "0.3"),
        *("--image", str(PICTURES / "cat.png"), "0.3"),
        *("--image", str(PICTURES / "night.jpg"), "0.4"),
    ]
    return [str(environment.script("kandinsky-blend")), "generate", *items]


@dataclass(frozen=True)
class Endpoint:
    """Where a daemon listens, and the environment variables of a client of it."""

    address: str
    variables: Mapping[str, str]


@contextmanager
def running_daemon(environment: Environment, model: Path, log: Path) -> Iterator[Endpoint]:
    """A daemon that serves `model`; it ends with the block.

    Its socket and its files lie in a new private folder, so that a daemon which the user runs is not disturbed.

    Raises:
        InstallError: it ended at once, or did not answer in time.
    """
    with tempfile.TemporaryDirectory(prefix="kandinsky-blend-") as private, log.open("wb") as output:
        variables = {**child_environment(), "KANDINSKY_BLEND_HOME": private}
        endpoint = Endpoint(f"ipc://{private}/daemon.sock", variables)
        command = [str(environment.script("kandinsky-daemon")), "--model", str(model), "--endpoint", endpoint.address]
        print(f"\n$ {shlex.join(command)} &", flush=True)
        with subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                _wait_for_answer(environment, endpoint, process, log)
                yield endpoint
            finally:
                _stop(process)


def _wait_for_answer(environment: Environment, endpoint: Endpoint, process: subprocess.Popen[bytes], log: Path) -> None:
    status = [str(environment.script("kandinsky-blend")), "status", "--endpoint", endpoint.address]
    deadline = time.monotonic() + START_LIMIT
    while subprocess.run(status, env=endpoint.variables, capture_output=True, check=False).returncode != 0:
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
