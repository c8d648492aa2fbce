"""`python3 install doctor`: one line for each thing that the plug-in needs, and what to do where it is amiss."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from install.environment import Environment
from install.gimp import PLUGIN, SANDBOXED, Profile, profiles
from install.gimp_python import GimpPython, NoPython, find
from install.steps import InstallError, child_environment

GIMPS = ("gimp-3.0", "gimp-3.2", "gimp-3", "gimp")
START, INSTALL = "Start GIMP 3 once, then run python3 install gimp", "Run python3 install gimp"
LIMIT = 120.0  # s for a command to answer: the first start of a daemon loads a library from a cold disk


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and what to do: nothing where all is well."""

    what: str
    found: str
    to_do: str = ""

    @property
    def is_amiss(self) -> bool:
        return bool(self.to_do)

    def __str__(self) -> str:
        line = f"{'AMISS' if self.is_amiss else 'ok   '} {self.what}: {self.found}"
        return f"{line}\n      -> {self.to_do}" if self.to_do else line


@dataclass(frozen=True)
class Hint(Finding):
    """What may well be so, and what can be done."""

    @property
    def is_amiss(self) -> bool:
        return False


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Look at everything, also after something was amiss; 1 when anything was."""
    if arguments:
        raise InstallError(f"doctor takes no arguments, and was given {' '.join(arguments)}.")
    found = profiles(Path.home(), os.environ, sys.platform)
    findings = [check_gimp(found), check_environment(environment)]
    findings += check_plugins(found, environment.python)
    findings += [check_connection(profile, environment.python) for profile in found if is_installed(profile)]
    findings += check_daemon(environment)
    print(*findings, sep="\n")
    amiss = sum(finding.is_amiss for finding in findings)
    print(f"\n{amiss} amiss: do what the arrows say, from the top." if amiss else "\nNothing is amiss.")
    return int(amiss > 0)


def check_gimp(found: Sequence[Profile]) -> Finding:
    old = ""
    for name in filter(shutil.which, GIMPS):
        version = re.search(r"\d+\.\d+\.\d+", _output([name, "--version"]))
        if version and version[0].startswith("3."):
            return Finding("GIMP", f"{version[0]} ({shutil.which(name)})")
        old = version[0] if version else old
    if found:
        return Finding("GIMP", "none of version 3 on the path, as it is with Flatpak, Snap and AppImage")
    to_do = f"Install GIMP 3.0 or newer (gimp.org/downloads). {START}"
    return Finding("GIMP", f"only {old}" if old else "none on the path", to_do)


def check_environment(environment: Environment) -> Finding:
    stamp = environment.finished()
    if stamp is None:
        return Finding("Python of the project", f"none in {environment.folder}", INSTALL)
    return Finding("Python of the project", f"{stamp.python} ({environment.python})")


def check_plugins(found: Sequence[Profile], python: Path) -> list[Finding]:
    """Of each profile, the plug-in's presence, run bit and Python."""
    if not found:
        return [Finding("plug-in", "no profile of a GIMP 3 was found", START)]
    return [check_plugin(profile, python) for profile in found]


def check_plugin(profile: Profile, python: Path) -> Finding:
    what, folder = f"plug-in of {profile}", profile.plug_ins / PLUGIN
    program, installation = folder / f"{PLUGIN}.py", folder / "installation.json"
    if not program.exists():
        return Finding(what, f"it is not in {folder}", INSTALL)
    if not os.access(program, os.X_OK):
        return Finding(what, f"{program} may not be run, so GIMP passes over it", INSTALL)
    if not installation.exists() or str(python) not in installation.read_text(encoding="utf-8"):
        return Finding(what, f"it was installed from another folder than {python.parent.parent.parent}", INSTALL)
    return Finding(what, str(folder))


def is_installed(profile: Profile) -> bool:
    return (profile.plug_ins / PLUGIN).exists()


def check_connection(profile: Profile, python: Path) -> Finding:
    """Which way the plug-in takes to the daemon."""
    what = f"connection of {profile}"
    try:
        way = _way(find(profile.kind, profile.version, sys.platform, os.environ), profile.plug_ins / PLUGIN)
    except NoPython as exc:
        way, reason = "", str(exc)
    else:
        reason = "GIMP's Python has no pyzmq."
    if way:
        return Finding(what, f"direct, {way}")
    if profile.kind in SANDBOXED:
        return Finding(what, f"none: {reason}", f"{INSTALL} while there is a network: it fetches pyzmq")
    return Finding(what, f"through {python}. {reason}")


def _way(python: GimpPython, folder: Path) -> str:
    """Where GIMP's Python finds pyzmq, or "" where it does not."""
    if python.imports(folder):
        return f"with the pyzmq beside the plug-in for Python {python.version}"
    return f"with the pyzmq of GIMP's Python {python.version}" if python.has_modules else ""


def check_daemon(environment: Environment) -> list[Finding]:
    """A round trip to the daemon of this user, and what it offers."""
    program = environment.script("kandinsky-blend")
    if not program.exists():
        return [Finding("daemon", "the project is not installed", INSTALL)]
    said, exit_code = _ask([str(program), "status"])
    if exit_code:
        reason = said[0].partition(": ")[2].partition(": ")[0]  # without the program's name and its own advice
        return [Hint("daemon", reason, f"GIMP starts one when it needs it. To do so now: {program} start")]
    return [Finding("daemon", ", ".join(said[:2])), *check_models(program)]


def check_models(program: Path) -> list[Finding]:
    said, exit_code = _ask([str(program), "models"])
    if exit_code or len(said) < 2:
        return [Finding("model", said[0], f"Start the daemon anew: {program} stop, then {program} start")]
    return [Finding("model", _model(row)) for row in said[1:]]


def _model(row: str) -> str:
    """In words, a row of the table that `kandinsky-blend models` shows."""
    name, loaded, _, *note = re.split(r"\s{2,}", row.strip())
    return ", ".join([name, "loaded" if loaded == "yes" else "loaded when it is first needed", *note])


def _ask(command: Sequence[str]) -> tuple[list[str], int]:
    """The lines that a program says, at least one, and its exit code."""
    done = subprocess.run(
        list(command), env=child_environment(), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    return (done.stdout or done.stderr).strip().splitlines() or [""], done.returncode


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False).stdout
