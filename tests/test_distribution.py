"""What a wheel holds: all that the product imports, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

# In a process of its own: setuptools changes how modules are imported.
FIND = """
import sys
from setuptools import find_namespace_packages  # which pyproject.toml's find is
from setuptools.config.pyprojecttoml import load_file
find = load_file("pyproject.toml")["tool"]["setuptools"]["packages"]["find"]
print(*find_namespace_packages(".", exclude=find["exclude"], include=find["include"]))
"""


def packages() -> set[str]:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIND], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_a_wheel_holds_every_package_but_the_training_and_the_tests() -> None:
    folders = {
        ".".join(path.parent.relative_to(PROJECT).parts)
        for top in ("daemon", "plugin_client", "kandinsky_backend")
        for path in (PROJECT / top).rglob("__init__.py")
    }
    training = {name for name in folders if name.startswith("kandinsky_backend.embedded.train")}
    found = packages()
    assert training
    assert folders - training <= found
    assert "kandinsky_backend.embedded" in found  # of which package-data takes the model's files
    assert not {name for name in found if name.startswith(("kandinsky_backend.embedded.train", "tests", "install"))}
