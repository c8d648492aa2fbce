"""`python3 install test` in a clone of a tiny project: the environment is made, kept, mended and remade for real."""

from __future__ import annotations

import subprocess
import sys

import pytest

from install.environment import Environment
from tests.install.conftest import Clone

# Each of these makes a virtual environment or two, which takes 3 to 10 s.
pytestmark = pytest.mark.slow

NOWHERE = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1"}


@pytest.fixture
def installed(used_clone: Clone) -> Clone:
    """A clone whose environment is up to date."""
    used_clone.require("")
    assert used_clone.run("test").returncode == 2, "the stand-in pytest has two arguments"
    return used_clone


def says_one_sentence(run: subprocess.CompletedProcess[str]) -> bool:
    return run.returncode == 1 and "Traceback" not in run.stderr and run.stderr.count("\n") == 1


def test_a_fresh_clone_is_installed_from_any_folder_and_pytest_gets_arguments_and_answers(used_clone: Clone) -> None:
    assert not used_clone.environment.exists()
    run = used_clone.run("test", "-k", "wire")
    assert run.returncode == 4
    assert "making .venv" in run.stdout
    assert run.stdout.endswith("pytest was given ['-m', '', '-k', 'wire']\n")


def test_a_second_run_installs_nothing(installed: Clone) -> None:
    assert installed.run("test").stdout.startswith("$ pytest")


def test_a_changed_pyproject_is_installed_into_the_same_environment(installed: Clone) -> None:
    installed.pyproject.write_text(f"{installed.pyproject.read_text()}\n# changed\n")
    run = installed.run("test")
    assert "installing the project" in run.stdout
    assert "making .venv" not in run.stdout


def test_an_environment_is_unfinished_while_its_python_is_gone(installed: Clone) -> None:
    python = installed.environment / "bin" / "python"
    hidden = python.rename(python.with_name("hidden"))
    assert Environment(installed.folder).finished() is None
    hidden.rename(python)
    assert Environment(installed.folder).finished() is not None


def test_an_environment_is_unfinished_after_a_move_since_its_scripts_name_the_old_folder(installed: Clone) -> None:
    moved = installed.folder.rename(installed.folder.with_name("moved"))
    assert Environment(moved).finished() is None
    moved.rename(installed.folder)


@pytest.mark.parametrize("stamp", ["", "[]", "{}", '{"project": "', "\0"])
def test_an_environment_is_unfinished_when_its_stamp_is_damaged(installed: Clone, stamp: str) -> None:
    whole = installed.stamp.read_text()
    installed.stamp.write_text(stamp)
    assert Environment(installed.folder).finished() is None
    installed.stamp.write_text(whole)


def test_an_interrupted_installation_is_made_anew(installed: Clone) -> None:
    installed.stamp.unlink()
    left_over = installed.environment / "left-over"
    left_over.touch()
    assert "making it anew" in installed.run("test").stdout
    assert not left_over.exists()


def test_without_a_network_one_sentence_says_so(installed: Clone) -> None:
    installed.require("numpy")
    run = installed.run("test", **NOWHERE)
    assert says_one_sentence(run)
    assert run.stderr.startswith("The package index cannot be reached: check the network")


def test_what_else_stops_pip_is_quoted_with_the_log(installed: Clone) -> None:
    installed.require("no-such-distribution-at-all")
    run = installed.run("test")
    assert says_one_sentence(run)
    assert "No matching distribution found for no-such-distribution-at-all" in run.stderr
    assert str(installed.environment / "install.log") in run.stderr


def test_a_disk_with_too_little_room_is_noticed_before_anything_is_made(clone: Clone) -> None:
    program = (
        "import pathlib; from install.environment import Environment\n"
        "Environment(pathlib.Path.cwd(), space_needed=10**18).ensure()"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=clone.folder, capture_output=True, text=True, check=False)
    assert "GB of free disk space and the installation needs 1000000000.0 GB: make room" in run.stderr
    assert not clone.environment.exists()
