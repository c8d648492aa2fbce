"""The main job, for real: two picture files and a prompt, each with a weight, through a daemon over ZeroMQ."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Sequence

from install.environment import Environment
from install.steps import InstallError, child_environment, run_step

PICTURES = Path(__file__).resolve().parent / "pictures"
START_LIMIT = 120.0  # s until the daemon must listen; a machine whose disk cache is cold is slow to import
STOP_LIMIT = 20.0  # s until a daemon that was asked to end is killed
STAND_IN_NOTE = """
The model behind this picture is a small stand-in with random weights: it has learnt nothing, so it draws textures and
not things. What ran is the whole path: pictures, prompt, weights, daemon, Kandinsky 2.1 on MindSpore. With the trained
weights (about 10 GB from the Hugging Face hub at the first run):
"""


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Install, start a daemon of the demo's own, blend, and say where the picture is."""
    if arguments:
        raise InstallError(f"demo takes no arguments, and was given {' '.join(arguments)}.")
    environment.ensure()
    output = environment.project / "demo-output"
    output.mkdir(exist_ok=True)
    model = output / "stand-in-model"
    make_stand_in(environment, model, output / "stand-in-model.log")
    picture = output / "blend.png"
    with daemon(environment, model, output / "daemon.log") as endpoint:
        options = ["--size", "256x256", "--steps", "20", "--seed", "7", "--output", str(picture)]
        command = generate_command(environment, [*options, "--endpoint", endpoint])
        print(f"\n$ {shlex.join(command)}", flush=True)
        exit_code = subprocess.run(command, env=child_environment(), check=False).returncode
    if exit_code == 0:
        print(f"\nThe picture is {picture}")
        print(STAND_IN_NOTE)
        print(shlex.join(generate_command(environment, ["--output", "blend.png"])))
    return exit_code


def make_stand_in(environment: Environment, folder: Path, log: Path) -> None:
    """Write a small checkpoint with random weights, in the published layout, instead of what is in `folder`."""
    if folder.exists():
        shutil.rmtree(folder)
    command = [environment.python, "-m", "tests.random_checkpoint", folder, "--size", "tiny_a", "--dtype", "fp32"]
    run_step("making a small stand-in model", command, environment.project, log)


def generate_command(environment: Environment, options: Sequence[str]) -> list[str]:
    """The command line that blends the demo's prompt and pictures."""
    items = [
        *("--prompt", "a cat", "0.3"),
        *("--image", str(PICTURES / "cat.png"), "0.3"),
        *("--image", str(PICTURES / "night.jpg"), "0.4"),
    ]
    return [str(environment.script("kandinsky-blend")), "generate", *items, *options]


@contextmanager
def daemon(environment: Environment, model: Path, log: Path) -> Iterator[str]:
    """A daemon that serves `model` at an endpoint of its own, which is yielded; it ends with the block.

    Its socket lies in a new private folder, so that a daemon which the user runs is not disturbed.

    Raises:
        InstallError: it ended at once, or did not listen in time.
    """
    with tempfile.TemporaryDirectory(prefix="kandinsky-blend-") as private, log.open("wb") as output:
        socket = Path(private) / "daemon.sock"
        endpoint = f"ipc://{socket}"
        command = [str(environment.script("kandinsky-daemon")), "--model", str(model), "--endpoint", endpoint]
        print(f"\n$ {shlex.join(command)}", flush=True)
        with subprocess.Popen(
            command, env=child_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                _wait_for(socket, process, log)
                yield endpoint
            finally:
                _stop(process)


def _wait_for(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while not socket.exists():
        if process.poll() is not None:
            raise InstallError(f"The daemon ended at once with exit code {process.returncode}; see {log}.")
        if time.monotonic() > deadline:
            raise InstallError(f"The daemon did not listen within {START_LIMIT:.0f} s; see {log}.")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
