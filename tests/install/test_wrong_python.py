"""The installer under a Python that MindSpore has no wheels for: runs where such a Python is on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from install.interpreter import version_of
from tests.install.conftest import Clone

PLACES = (Path("/usr/bin"), Path("/usr/local/bin"), *(Path.home() / ".pyenv" / "versions").glob("*/bin"))


def find(version: str) -> Path | None:
    candidates = (place / f"python{version}" for place in PLACES)
    return next((python for python in candidates if version_of(python) == version), None)


def find_or_skip(version: str) -> Path:
    python = find(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    return python


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.13", "3.14"])
def test_one_sentence_names_the_pythons_that_work(clone: Clone, version: str) -> None:
    run = clone.run("test", python=find_or_skip(version), PATH="/nowhere")
    assert run.returncode == 1
    assert run.stderr.startswith("MindSpore 2.10.0 needs Python 3.10, 3.11 or 3.12, and this is Python 3.")
    assert run.stderr.count("\n") == 1
    assert not clone.environment.exists()


@pytest.mark.slow
def test_a_python_that_works_is_taken_from_path_past_one_that_does_not_run(clone: Clone, tmp_path: Path) -> None:
    shim = tmp_path / f"python3.{sys.version_info.minor}"  # as pyenv leaves them for versions that are not selected
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    right = Path(sys.executable).resolve().parent
    run = clone.run("test", python=find_or_skip("3.13"), PATH=f"{tmp_path}:{right}:/usr/bin:/bin")
    assert f"using {right}/python3." in run.stdout
    assert run.stdout.endswith("pytest was given ['-m', '']\n")
