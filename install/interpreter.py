"""The choice of the Python that the environment is made with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from install.steps import InstallError

SUPPORTED = ("3.12", "3.11", "3.10")  # MindSpore 2.10.0 has wheels for these; the best first


def find_python() -> Path:
    """Return the Python that runs this, or where that has the wrong version, the first on PATH that has a right one.

    Raises:
        InstallError: there is none.
    """
    own = Path(sys.executable).resolve()  # out of any virtual environment, which may be the one to be remade
    own_version = version_of(own)
    if own_version in SUPPORTED:
        return own
    other = next((python for python in _pythons_on_path() if version_of(python) in SUPPORTED), None)
    if other is None:
        raise InstallError(
            f"MindSpore 2.10.0 needs Python 3.10, 3.11 or 3.12, and this is Python {own_version} ({own}) with none of "
            "those on PATH: install one (Debian, Ubuntu: sudo apt install python3.12 python3.12-venv) and run the "
            "same command again."
        )
    print(f"MindSpore 2.10.0 does not run on Python {own_version}: using {other} instead.")
    return other


def version_of(python: Path) -> str | None:
    """Return the "major.minor" of an interpreter, or None when it does not work."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(python), "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode().strip()


def _pythons_on_path() -> Iterator[Path]:
    """Return python3.x of each supported version in each folder of PATH, there or not; a shim there may not run."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    return (folder / f"python{version}" for version in SUPPORTED for folder in folders)
