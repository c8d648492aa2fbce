"""`python3 install doctor`: checks each thing that the plug-in needs, and says what to do where one is missing.

`--ray HOST:PORT` names the Ray cluster to check; without it, that is the one that runs here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from install.environment import Environment
from install.gimp import PLUGIN, SANDBOXED, Profile, profiles
from install.gimp_python import FLATPAK, SNAP, GimpPython, NoPython, find, gimp_version, output_of
from install.steps import InstallError, child_environment

GIMPS = ("gimp-3.0", "gimp-3.2", "gimp-3", "gimp")
START, INSTALL = "Start GIMP 3 once, then run python3 install gimp", "Run python3 install gimp"
# Of the full model, on the Hugging Face hub; the model side knows them too.
REPOSITORIES = ("kandinsky-community/kandinsky-2-1-prior", "kandinsky-community/kandinsky-2-1")
FULL = "kandinsky-blend start --model kandinsky-2-1"
RAY = "--ray"
NO_RAY = 2  # exit code of the check where Ray is not installed
LIMIT = 120.0  # s for a command to answer: the first start of a daemon loads a library from a cold disk


# What is left to do where a message does not come back, though a daemon runs and the plug-in is well.
CURES = {
    FLATPAK: "Let this GIMP see the daemon's folder: flatpak override --user "
    "--filesystem=~/.local/share/kandinsky-blend org.gimp.GIMP",
    SNAP: "A Snap may not enter hidden folders, where the daemon is: use the GIMP of your distribution, or the Flatpak",
}

_CAME_BACK = "came back"
_PING = f"""
import sys
sys.path.insert(0, {{folder!r}})
sys.argv = [{{program!r}}]
from plugin_client.editor import connection
from plugin_client.wire.errors import KandinskyError
try:
    with connection.{{connect}}() as client:
        client.ping()
    print("{_CAME_BACK}")
except KandinskyError as exc:
    print(exc)
"""


@dataclass(frozen=True)
class Finding:
    """The result of one check: its subject, what was found, and what to do; the last is "" where all is well."""

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
    """A result that may be intended, and what can be done about it."""

    @property
    def is_amiss(self) -> bool:
        return False


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Run all checks and print their results; 1 when any has failed."""
    if arguments and (arguments[0] != RAY or len(arguments) != 2):
        raise InstallError(f"doctor takes {RAY} HOST:PORT or nothing, and was given {' '.join(arguments)}.")
    found = profiles(Path.home(), os.environ, sys.platform)
    findings = [*check_gimps(found), check_environment(environment), *check_plugins(found, environment.python)]
    daemon = check_daemon(environment)
    runs = not any(isinstance(finding, Hint) or finding.is_amiss for finding in daemon[:1])
    findings += [check_connection(profile, environment.python, runs) for profile in found if is_installed(profile)]
    findings += [*daemon, *check_speed(environment), *check_ray(environment, arguments[1:])]
    print(*findings, sep="\n")
    amiss = sum(finding.is_amiss for finding in findings)
    print(f"\n{amiss} amiss: do what the arrows say, from the top." if amiss else "\nNothing is amiss.")
    return int(amiss > 0)


def check_gimps(found: Sequence[Profile]) -> list[Finding]:
    """Check the version of the GIMP of each profile; without any profile, of the GIMP on the path."""
    return [check_gimp(profile) for profile in found] or [check_path()]


def check_gimp(profile: Profile) -> Finding:
    try:
        return Finding(str(profile), gimp_version(profile.kind, profile.version, sys.platform, os.environ))
    except NoPython as exc:
        return Finding(str(profile), f"its settings are in {profile.folder}. {exc}")


def check_path() -> Finding:
    """Check a GIMP that has no profile: it was never started, or is too old."""
    old = ""
    for name in filter(shutil.which, GIMPS):
        version = re.search(r"\d+\.\d+\.\d+", _output([name, "--version"]))
        if version and version[0].startswith("3."):
            return Finding("GIMP", f"{version[0]} ({shutil.which(name)})")
        old = version[0] if version else old
    to_do = f"Install GIMP 3.0 or newer (gimp.org/downloads). {START}"
    return Finding("GIMP", f"only {old}" if old else "none was found", to_do)


def check_environment(environment: Environment) -> Finding:
    stamp = environment.finished()
    if stamp is None:
        return Finding("Python of the project", f"none in {environment.folder}", INSTALL)
    return Finding("Python of the project", f"{stamp.python} ({environment.python})")


def check_plugins(found: Sequence[Profile], python: Path) -> list[Finding]:
    """Check that each profile has the plug-in, that it may be run, and its Python."""
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
    if _python_of(installation) != str(python):
        return Finding(what, f"it was installed from another folder than {python.parent.parent.parent}", INSTALL)
    return Finding(what, str(folder))


def _python_of(installation: Path) -> str:
    """Return the project's Python that the plug-in knows, or "" where its file is missing or damaged."""
    try:
        return str(json.loads(installation.read_text(encoding="utf-8"))["python"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def is_installed(profile: Profile) -> bool:
    return (profile.plug_ins / PLUGIN).exists()


def check_connection(profile: Profile, python: Path, daemon_runs: bool) -> Finding:
    """Check the plug-in's transport by a round trip to the daemon, in GIMP's own Python where that is known."""
    what, folder = f"connection of {profile}", profile.plug_ins / PLUGIN
    try:
        gimps = find(profile.kind, profile.version, sys.platform, os.environ)
        way, reason = _way(gimps, folder), "GIMP's Python has no pyzmq."
        trip = _Trip(gimps.command, "connect_to_running")
    except NoPython as exc:
        way, reason = "", str(exc)
        trip = _Trip((str(python),), "connect_through_bridge")
    if not way and profile.kind in SANDBOXED:
        return Finding(what, f"none: {reason}", f"{INSTALL} while there is a network: it fetches pyzmq")
    found = f"direct, {way}" if way else f"through {python}. {reason}"
    if daemon_runs and (failure := trip.failure(folder)):
        return Finding(what, f"{found}, but a message did not come back: {failure}", CURES.get(profile.kind, INSTALL))
    return Finding(what, f"{found}; a message came back" if daemon_runs else found)


@dataclass(frozen=True)
class _Trip:
    """The check that an installed plug-in reaches the daemon from the Python that `command` starts."""

    command: tuple[str, ...]
    connect: str  # the function of plugin_client.editor.connection

    def failure(self, folder: Path) -> str:
        """Return why no answer came, or ""."""
        program = _PING.format(folder=str(folder), program=str(folder / f"{PLUGIN}.py"), connect=self.connect)
        try:
            said = output_of([*self.command, "-c", program]).strip().splitlines()
        except NoPython as exc:
            return str(exc)
        if not said:
            return "the plug-in ended without a word"
        return "" if said[-1] == _CAME_BACK else said[-1]


def _way(python: GimpPython, folder: Path) -> str:
    """Return the folder in which GIMP's Python finds pyzmq, or ""."""
    if python.imports(folder):
        return f"with the pyzmq beside the plug-in for Python {python.version}"
    return f"with the pyzmq of GIMP's Python {python.version}" if python.has_modules else ""


def check_daemon(environment: Environment) -> list[Finding]:
    """Check a round trip to the daemon of this user, and the models that it offers."""
    program = environment.script("kandinsky-blend")
    if not program.exists():
        return [Finding("daemon", "the project is not installed", INSTALL)]
    said, exit_code = _ask([str(program), "status"])
    if exit_code:
        reason = said[0].partition(": ")[2].partition(": ")[0]  # without the program's name and its own advice
        hint = Hint("daemon", reason, f"GIMP starts one when it needs it. To do so now: {program} start")
        return [hint, check_download(Path.home(), os.environ)]
    return [Finding("daemon", ", ".join(said[:2])), *check_models(program)]


def check_speed(environment: Environment) -> list[Finding]:
    """Check what models run on; the executor of compiled plans is compiled now where there is none yet."""
    if not environment.python.exists():
        return []
    said, exit_code = _ask([str(environment.python), "-m", "kandinsky_backend.ops.plans"])
    slow = "Pictures are made all the same, but take longer"
    return [Hint("speed", said[-1], slow) if exit_code else Finding("speed", said[-1])]


def check_ray(environment: Environment, address: Sequence[str]) -> list[Finding]:
    """Check Ray, which hands jobs to several machines, by a round trip to each; nothing where it is not installed."""
    if not environment.python.exists():
        return []
    said, exit_code = _ask([str(environment.python), "-m", "daemon.executors.ray_check", *address])
    if exit_code == NO_RAY:
        to_do = f"Run {environment.python} -m pip install '.[ray]'"
        return [Finding("Ray", "it is not installed", to_do)] if address else []
    return [Finding("Ray", said[-1], "See daemon/CLUSTER.md" if exit_code else "")]


def check_download(home: Path, variables: Mapping[str, str]) -> Finding:
    """Check for the files of the full model. The small one is a part of the project."""
    cache = Path(variables.get("XDG_CACHE_HOME") or home / ".cache") / "huggingface"
    hub = Path(variables.get("HF_HUB_CACHE") or Path(variables.get("HF_HOME") or cache) / "hub")
    folders = [hub / f"models--{repository.replace('/', '--')}" for repository in REPOSITORIES]
    if not all(any(folder.glob("snapshots/*/model_index.json")) for folder in folders):
        return Hint("full model", f"not in {hub}; the small one is there", f"To fetch its 13 GB: {FULL}, then a blend")
    if any(any(folder.glob("blobs/*.incomplete")) for folder in folders):
        return Hint("full model", f"not all in {hub}", f"To fetch the rest: {FULL}, then a blend")
    return Finding("full model", f"in {hub}")


def check_models(program: Path) -> list[Finding]:
    said, exit_code = _ask([str(program), "models"])
    if exit_code or len(said) < 2:
        return [Finding("model", said[0], f"Start the daemon anew: {program} stop, then {program} start")]
    return [Finding("model", _model(row)) for row in said[1:]]


def _model(row: str) -> str:
    """Return a row of the table of `kandinsky-blend models` in words."""
    name, _, loaded, _, *note = re.split(r"\s{2,}", row.strip())
    states = {"yes": ["loaded"], "no": ["loaded when it is first needed"]}
    return ", ".join([name, *states.get(loaded, []), *note])


def _ask(command: Sequence[str]) -> tuple[list[str], int]:
    """Run a program; its output as lines, at least one, and its exit code."""
    done = subprocess.run(
        list(command), env=child_environment(), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    return (done.stdout or done.stderr).strip().splitlines() or [""], done.returncode


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False).stdout
