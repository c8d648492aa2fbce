"""Pictures that cannot be written, or whose names cannot be told."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plugin_client import pictures
from plugin_client.wire.messages import (
    Picture,
    Release,
    Submit,
)
from tests.client.scripted_daemon import Script
from tests.client.shell import opened, run

pytestmark = pytest.mark.usefixtures("here")


FULL_DISK = """
import resource, sys
from plugin_client.cli import __main__ as cli
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
sys.exit(cli.main(sys.argv[1:]))
"""
QUIET = ["generate", "--prompt", "cat", "1", "-o", "out.png", "--size", "16x16", "--quiet"]


@pytest.mark.parametrize("command", [QUIET, [*QUIET, "--grid", "sheet.png"], ["again", "old.png", "-o", "out.png"]])
def test_a_full_disk_loses_nothing(script: Script, here: Path, command: list[str]) -> None:
    assert run("generate --prompt cat 1 -o old.png --size 16x16 --quiet") == 0
    (here / "out.png").write_bytes(b"older")
    files = set(here.iterdir())
    script.asked.clear()
    command = [*command, "--force"]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *command], capture_output=True, text=True, check=False)
    job = next(message.job for message in script.asked if isinstance(message, Submit))
    assert "kandinsky-blend: out.png cannot be written: File too large; the daemon keeps the pictures" in done.stderr
    assert f"kandinsky-blend fetch {job[:8]} -o FILE.png" in done.stderr
    assert (done.returncode, done.stdout) == (1, "")
    assert not any(isinstance(message, Release) for message in script.asked)
    assert (here / "out.png").read_bytes() == b"older"
    assert set(here.iterdir()) == files


PROGRAM = [sys.executable, "-m", "plugin_client.cli"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
@pytest.mark.parametrize("command", [QUIET, ["models"]])
def test_a_full_stdout_is_not_the_picture_s_fault(script: Script, here: Path, command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr.endswith("kandinsky-blend: standard output cannot be written: No space left on device\n")
    assert "Exception ignored" not in done.stderr
    assert done.returncode == 1
    if command == QUIET:
        assert opened(here / "out.png").size == (16, 16)
        assert isinstance(script.asked[-1], Release)


def test_a_closed_stdout_keeps_no_picture_from_being_written(script: Script, here: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *QUIET], stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "warning: the prompt was cut\n")
    assert opened(here / "out.png").size == (16, 16)


def test_two_commands_may_write_one_file_at_once(here: Path) -> None:
    """Whole pictures, whoever comes last, and nothing beside them."""
    sizes = [(300 + n, 300) for n in range(8)]

    def write(size: tuple[int, int]) -> None:
        for _ in range(5):
            pictures.write_png(here / "out.png", Picture(*size, 3, bytes(size[0] * size[1] * 3)), {})

    with ThreadPoolExecutor(len(sizes)) as pool:
        list(pool.map(write, sizes))
    assert opened(here / "out.png").size in sizes
    assert list(here.iterdir()) == [here / "out.png"]
