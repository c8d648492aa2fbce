"""pyzmq and msgpack beside the plug-in, for exactly the Python that GIMP has: then it needs no bridge."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from install.environment import Environment, explain
from install.gimp_python import GimpPython
from install.steps import StepFailed, run_step

MODULES = ("pyzmq", "msgpack")

_OLDEST_GLIBC = 17  # the 2.17 of manylinux2014, the oldest that the two are built for


class NoWheels(Exception):
    """No wheels could be installed. The text is a sentence that says why."""


def add_wheels(python: GimpPython, folder: Path, environment: Environment) -> list[str]:
    """Install the wheels into `folder`; their names with versions.

    Raises:
        NoWheels: none fits, none can be fetched, or they do not work there; the folder is as it was.
    """
    tags = platform_tags(python)
    where = f"Python {python.version} on {python.platform}"
    if not tags:
        raise NoWheels(f"There are no wheels of {' and '.join(MODULES)} for {where}.")
    unpacked = folder / "wheels.part"
    try:
        _fetch(python, tags, unpacked, environment)
        if not python.imports(unpacked):
            raise NoWheels(f"The wheels for {where} do not work in this GIMP.")
        return _move(unpacked, folder)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def platform_tags(python: GimpPython) -> list[str]:
    """Return pip's names of the platform, the best first; none where PyPI has no wheels, as for MSYS2 and musl."""
    if python.platform == "win-amd64":
        return ["win_amd64"]
    if python.platform.startswith("macosx-"):
        return [re.sub(r"[-.]", "_", python.platform)]  # pip knows the older ones that do as well
    linux = re.fullmatch(r"linux-(x86_64|aarch64)", python.platform)
    glibc = re.fullmatch(r"2\.(\d+)", python.glibc)
    if not linux or not glibc:
        return []
    return [f"manylinux_2_{minor}_{linux[1]}" for minor in range(int(glibc[1]), _OLDEST_GLIBC - 1, -1)] + [
        f"manylinux2014_{linux[1]}"
    ]


def _fetch(python: GimpPython, tags: list[str], folder: Path, environment: Environment) -> None:
    pip = [environment.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    quick = ["--retries=1", "--timeout=15", "--no-compile", f"--target={folder}"]
    fitting = ["--only-binary=:all:", "--no-deps", f"--python-version={python.version}", "--implementation=cp"]
    platforms = [f"--platform={tag}" for tag in tags]
    title = f"fetching {' and '.join(MODULES)} for GIMP's Python {python.version}"
    try:
        run_step(
            title,
            [*pip, *quick, *fitting, *platforms, *_requirements(environment.project)],
            environment.project,
            environment.log,
        )
    except StepFailed as exc:
        raise NoWheels(explain(exc)) from exc


def _requirements(project: Path) -> list[str]:
    """Return the requirements as the project itself states them."""
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(rf'^  "((?:{"|".join(MODULES)})[^"]*)"', text, flags=re.MULTILINE)


def _move(unpacked: Path, folder: Path) -> list[str]:
    for path in unpacked.iterdir():
        shutil.rmtree(folder / path.name, ignore_errors=True)
        shutil.move(str(path), str(folder / path.name))
    found = sorted(folder.glob("*.dist-info"))
    return [path.name[: -len(".dist-info")].replace("-", " ") for path in found]
