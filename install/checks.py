"""The tests and linters that CI runs, and that should be run before a commit."""

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
    all_of_them = ("-m", "")  # undoes the default that leaves slow ones out
    return run_module(environment, "pytest", *all_of_them, *arguments)


def lint(environment: Environment, arguments: Sequence[str]) -> int:
    """Run every linter, also after one has found something; the exit code, 1 when any has."""
    if arguments:
        raise InstallError(f"lint takes no arguments, and was given {' '.join(arguments)}.")
    environment.ensure(groups=["dev"])
    return max([run_module(environment, *linter) for linter in LINTERS], key=bool)


def run_module(environment: Environment, module: str, *arguments: str) -> int:
    """Run `python -m MODULE` of the environment in the project; its exit code."""
    print(f"$ {shlex.join([module, *arguments])}", flush=True)
    command = [str(environment.python), "-m", module, *arguments]
    return subprocess.run(command, cwd=environment.project, env=child_environment(), check=False).returncode
