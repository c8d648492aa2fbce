"""What CI runs, and what to run before a commit."""

from __future__ import annotations

import shlex
import subprocess
from typing import Sequence

from install.environment import Environment
from install.steps import InstallError, child_environment

LINTERS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
)


def test(environment: Environment, arguments: Sequence[str]) -> int:
    """Run pytest with `arguments`, the slow tests included, and return its exit code."""
    environment.ensure(groups=["dev"])
    return _run(environment, "pytest", "-m", "", *arguments)  # an empty -m undoes the default that leaves slow ones out


def lint(environment: Environment, arguments: Sequence[str]) -> int:
    """Run every linter, also after one has found something; 1 when any has."""
    if arguments:
        raise InstallError(f"lint takes no arguments, and was given {' '.join(arguments)}.")
    environment.ensure(groups=["dev"])
    return max([_run(environment, *linter) for linter in LINTERS], key=bool)


def _run(environment: Environment, module: str, *arguments: str) -> int:
    print(f"$ {shlex.join([module, *arguments])}", flush=True)
    command = [str(environment.python), "-m", module, *arguments]
    return subprocess.run(command, cwd=environment.project, env=child_environment(), check=False).returncode
