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
from install.gimp import PLUGIN, Profile, profiles
from install.steps import InstallError, child_environment

GIMPS = ("gimp-3.0", "gimp-3.2", "gimp-3", "gimp")
LIMIT = 120.0  # s for a command to answer: the first start of a daemon loads a library from a cold disk


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and what to do: nothing where all is well."""

    what: str
    found: str
    to_do: str = ""

    def __str__(self) -> str:
        line = f"{'ok  ' if not self.to_do else 'AMISS'} {self.what}: {self.found}"
        return f"{line}\n      -> {self.to_do}" if self.to_do else line


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Look at everything, also after something was amiss; 1 when anything was."""
    if arguments:
        raise InstallError(f"doctor takes no arguments, and was given {' '.join(arguments)}.")
    findings = [check_gimp(), check_environment(environment)]
    findings += check_plugins(profiles(Path.home(), os.environ, sys.platform), environment.python)
    findings += [check_daemon(environment), check_models(environment)]
    print(*findings, sep="\n")
    return int(any(finding.to_do for finding in findings))


def check_gimp() -> Finding:
    for name in filter(shutil.which, GIMPS):
        version = re.search(r"\d+\.\d+\.\d+", _output([name, "--version"]))
        if version and version[0].startswith("3."):
            return Finding("GIMP", f"{version[0]} ({shutil.which(name)})")
        if version:
            return Finding("GIMP", f"{version[0]}", "The plug-in needs GIMP 3.0 or newer: gimp.org/downloads has it")
    return Finding("GIMP", "none on the path, which is right for Flatpak, Snap and AppImage")


def check_environment(environment: Environment) -> Finding:
    stamp = environment.finished()
    if stamp is None:
        return Finding("the project's Python", f"none in {environment.folder}", "Run python3 install gimp")
    return Finding("the project's Python", f"{stamp.python} ({environment.python})")


def check_plugins(found: Sequence[Profile], python: Path) -> list[Finding]:
    """Of each profile, the plug-in's presence, run bit and Python."""
    if not found:
        return [Finding("plug-in", "no profile of a GIMP 3 was found", "Start GIMP 3 once, then python3 install gimp")]
    return [check_plugin(profile, python) for profile in found]


def check_plugin(profile: Profile, python: Path) -> Finding:
    what, folder = f"plug-in of {profile.kind}", profile.plug_ins / PLUGIN
    program, installation = folder / f"{PLUGIN}.py", folder / "installation.json"
    again = "Run python3 install gimp"
    if not program.exists():
        return Finding(what, f"it is not in {folder}", again)
    if not os.access(program, os.X_OK):
        return Finding(what, f"{program} may not be run, so GIMP passes over it", again)
    if not installation.exists() or str(python) not in installation.read_text(encoding="utf-8"):
        return Finding(what, f"it was installed from another folder than {python.parent.parent.parent}", again)
    return Finding(what, str(folder))


def check_daemon(environment: Environment) -> Finding:
    """A round trip to the daemon of this user."""
    said, exit_code = _ask(environment, "status")
    if exit_code:
        start = f"GIMP starts one when it needs it; to do so now: {environment.script('kandinsky-blend')} start"
        return Finding("daemon", said, start)
    return Finding("daemon", f"answers: {said}")


def check_models(environment: Environment) -> Finding:
    said, exit_code = _ask(environment, "models")
    if exit_code:
        return Finding("model", "not known while no daemon answers", "Start the daemon, see above")
    return Finding("model", said)


def _ask(environment: Environment, command: str) -> tuple[str, int]:
    """The first line of what kandinsky-blend says, and its exit code."""
    program = environment.script("kandinsky-blend")
    if not program.exists():
        return "the project is not installed", 1
    done = subprocess.run(
        [str(program), command], env=child_environment(), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    return (done.stdout or done.stderr).strip().partition("\n")[0], done.returncode


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False).stdout
