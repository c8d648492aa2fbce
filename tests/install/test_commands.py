"""The command table, and the sentences that errors become."""

from __future__ import annotations

import ast
import errno
import re
from pathlib import Path

import pytest

from install.commands import main, os_error_sentence
from install.environment import explain
from install.interpreter import SUPPORTED
from install.steps import StepFailed
from tests.install.conftest import PROJECT


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["-x"]])
def test_a_missing_or_unknown_command_shows_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "usage: python3 install COMMAND\n  demo " in said
    assert all(f"no command {argument!r}" in said for argument in arguments)


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "  lint  " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "taken"),
    [("demo", "no arguments,"), ("lint", "no arguments,"), ("doctor", "--ray HOST:PORT or nothing,")],
)
def test_arguments_that_a_command_does_not_take_are_named(
    command: str, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--fast"]) == 1
    assert capsys.readouterr().err == f"{command} takes {taken} and was given --fast.\n"


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
            "The disk became",
        ),
        (
            "The virtual environment was not created successfully because ensurepip is not available.",
            "This Python comes",
        ),
        ("/usr/bin/python3.11: No module named venv\n", "This Python comes without venv"),
        ("WARNING: Retrying after connection broken by 'NameResolutionError(...)'", "The package index cannot"),
        ("ERROR: first\nnote\nERROR: Cannot build wheel.\n", "Cannot build wheel. (All that pip said is in LOG.)"),
        ("killed", "Failed: installing. What it said is in LOG."),
    ],
)
def test_what_pip_and_venv_say_becomes_a_sentence(output: str, sentence: str) -> None:
    assert explain(StepFailed("installing", output, Path("LOG"))).startswith(sentence)


def test_the_package_to_install_for_venv_is_named() -> None:
    failure = StepFailed("making .venv", "No module named venv", Path("LOG"))
    assert "sudo apt install python3.11-venv" in explain(failure, "python3.11")


def test_a_disk_that_becomes_full_is_told_with_the_file() -> None:
    assert os_error_sentence(OSError(errno.ENOSPC, "No space left on device", "/x")).startswith("The disk is full (/x)")
    assert os_error_sentence(PermissionError(errno.EACCES, "Permission denied", "/x")) == "Permission denied: /x"


@pytest.mark.parametrize("path", sorted((PROJECT / "install").glob("*.py")), ids=lambda path: path.name)
def test_an_old_python_can_read_the_installer(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


def test_the_pythons_that_are_looked_for_are_those_that_pyproject_names() -> None:
    found = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (PROJECT / "pyproject.toml").read_text())
    assert found is not None
    first, end = map(int, found.groups())
    assert sorted(SUPPORTED) == [f"3.{minor}" for minor in range(first, end)]
