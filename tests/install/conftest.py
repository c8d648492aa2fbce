"""A clone to install in: the real install/ folder and a project so small that nothing large is fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "0.1"
dependencies = [{dependencies}]

[dependency-groups]
dev = []
"""
# A build backend of a few lines needs no setuptools from the index: an editable install is a wheel with a .pth file.
BACKEND = """\
import zipfile
from pathlib import Path

METADATA = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 0.1\\n{requires}"
WHEEL = "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "tiny-0.1-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as wheel:
        wheel.writestr("tiny.pth", str(Path.cwd()))
        wheel.writestr("tiny-0.1.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-0.1.dist-info/WHEEL", WHEEL)
        wheel.writestr("tiny-0.1.dist-info/RECORD", "")
    return name
"""


# `python -m pytest` in the clone runs this: it shows its arguments and leaves with their number.
PYTEST = "import sys\n\nprint('pytest was given', sys.argv[1:])\nsys.exit(len(sys.argv) - 1)\n"


@dataclass(frozen=True)
class Clone:
    """A folder with install/ and pyproject.toml in it; pip finds a new enough pip in `wheels`, without any network."""

    folder: Path
    wheels: Path

    @property
    def environment(self) -> Path:
        return self.folder / ".venv"

    @property
    def stamp(self) -> Path:
        return self.environment / "installed.json"

    @property
    def pyproject(self) -> Path:
        return self.folder / "pyproject.toml"

    def require(self, requires: str) -> None:
        """Make the project depend on a distribution, or with "" on nothing."""
        self.pyproject.write_text(PYPROJECT.format(dependencies=f'"{requires}"' if requires else ""))
        requires_dist = f"Requires-Dist: {requires}\\n" if requires else ""
        (self.folder / "backend.py").write_text(BACKEND.format(requires=requires_dist))

    def run(
        self, *arguments: str, python: Path = Path(sys.executable), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """`python install ARGUMENTS` with these environment variables, from another folder than the clone."""
        pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri()}
        return subprocess.run(
            [str(python), str(self.folder / "install"), *arguments],
            cwd="/",
            env={**os.environ, **pip, **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of the pip that is installed here."""
    pip = metadata.distribution("pip")
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / f"pip-{pip.version}-py3-none-any.whl", "w") as wheel:
        for file in pip.files or ():
            if file.parts[0] != ".." and file.suffix != ".pyc":
                wheel.write(file.locate(), file)
    return folder


def program(folder: Path, name: str, text: str) -> None:
    """A program of this name in `folder`, which `text` is a shell script of."""
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def make_clone(folder: Path, wheels: Path) -> Clone:
    shutil.copytree(PROJECT / "install", folder / "install", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pytest.py").write_text(PYTEST)
    clone = Clone(folder, wheels)
    clone.require("")
    return clone


@pytest.fixture
def clone(tmp_path: Path, wheels: Path) -> Clone:
    """A fresh clone. Its name holds a space, as a folder in a user's home may."""
    return make_clone(tmp_path / "a clone", wheels)


@pytest.fixture(scope="module")
def used_clone(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Clone:
    """A clone that the tests of a module use one after another, whatever state the one before left it in."""
    return make_clone(tmp_path_factory.mktemp("clones") / "used", wheels)
