"""`python3 install gimp`: installs the plug-in into GIMP 3's folders; --remove takes it away again.

`--daemon tcp://HOST:PORT --key FILE` installs it for a daemon that somebody else runs.
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

from install import gimp_python
from install.environment import Environment
from install.gimp_python import FLATPAK, SNAP, GimpPython, NoPython
from install.steps import InstallError
from install.wheels import NoWheels, add_wheels

PLUGIN = "kandinsky-blend"  # the folder, and the file in it without .py: GIMP wants the same name for both
REMOVE = "--remove"
DAEMON, KEY = "--daemon", "--key"
SANDBOXED = (FLATPAK, SNAP)  # they start no program of the host
MENU = "Filters > Kandinsky > Blend Layers and Prompts..."

_UNWANTED = shutil.ignore_patterns("__pycache__", PLUGIN, "*.so", "*.pyd", "*.pyx", "*.po", "*.pot")


@dataclass(frozen=True)
class Profile:
    """The folder of one installation of GIMP 3 for a user's settings and plug-ins."""

    kind: str
    folder: Path

    def __str__(self) -> str:
        return " ".join(filter(None, ("GIMP", self.version, f"({self.kind})")))

    @property
    def version(self) -> str:
        """The version in the folder's name, such as "3.0"; "" where there is none."""
        return self.folder.name if re.fullmatch(r"3\.\d+", self.folder.name) else ""

    @property
    def plug_ins(self) -> Path:
        return self.folder / "plug-ins"


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Install the plug-in for every GIMP 3 that this user has started, or remove it."""
    if list(arguments) == [REMOVE]:
        return _remove(profiles(Path.home(), os.environ, sys.platform))
    address = _check_key(arguments) if arguments else ""
    found = profiles(Path.home(), os.environ, sys.platform)
    if not found:
        raise InstallError(
            "No GIMP 3 was found: install GIMP 3.0 or newer, start it once, and run the same command again. "
            "A profile in an unusual place is found through GIMP3_DIRECTORY."
        )
    environment.ensure()
    if address:
        _join(environment, arguments[3])
    for profile in found:
        folder = copy_plugin(
            environment.project, profile.plug_ins, environment.python, environment.package("msgpack"), address
        )
        print(f"{profile}: the plug-in is in {folder}")
        print(f"  {connect(profile, folder, environment)}")
        if profile.kind in SANDBOXED and not address:
            print(f"  It cannot start the daemon: before you blend, run {environment.script('kandinsky-blend')} start")
    print(f"Restart GIMP, and open {MENU}")
    return 0


def _check_key(arguments: Sequence[str]) -> str:
    """Return the address of somebody else's daemon, to which a key file was given. Raises: InstallError."""
    if [*arguments[::2]] != [DAEMON, KEY] or len(arguments) != 4:
        raise InstallError(
            f"gimp takes {REMOVE}, {DAEMON} tcp://HOST:PORT {KEY} FILE, or nothing, and was given "
            f"{' '.join(arguments)}."
        )
    address, key = arguments[1], Path(arguments[3])
    try:
        leads_to = json.loads(key.read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InstallError(f"{key} is no key file: ask who runs the daemon for one. ({exc})") from exc
    if leads_to != address:
        raise InstallError(f"The key in {key} is for the daemon at {leads_to}, not for {address}.")
    return address


def _join(environment: Environment, key: str) -> None:
    """Keep a key where the plug-in finds it. Raises: InstallError."""
    command = [str(environment.script("kandinsky-blend")), "join", key]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise InstallError(run.stderr.strip())


def connect(profile: Profile, folder: Path, environment: Environment) -> str:
    """Give the plug-in in `folder` a way to the daemon, its own or the project's Python; a sentence about it."""
    try:
        python = gimp_python.find(profile.kind, profile.version, sys.platform, os.environ)
        return reach(python, folder, environment)
    except (NoPython, NoWheels) as exc:
        if profile.kind in SANDBOXED:
            return (
                f"It cannot reach the daemon yet: a GIMP in a sandbox cannot start {environment.python}, and needs "
                f"pyzmq of its own. {exc}"
            )
        return f"It talks to the daemon through {environment.python}. {exc}"


def reach(python: GimpPython, folder: Path, environment: Environment) -> str:
    """Give the plug-in a way to the daemon, for a GIMP whose Python is known.

    Raises:
        NoWheels: it has no pyzmq, and cannot be given it.
    """
    if python.has_modules:
        return f"It talks to the daemon itself: Python {python.version} of this GIMP has pyzmq."
    added = add_wheels(python, folder, environment)
    return f"It talks to the daemon itself: {' and '.join(added)} for its Python {python.version} lie beside it."


def profiles(home: Path, variables: Mapping[str, str], platform: str) -> list[Profile]:
    """Return the profiles of GIMP 3 that exist. GIMP makes its own when it is first started.

    GIMP3_DIRECTORY, which GIMP itself obeys, stands for all of them.
    """
    if explicit := variables.get("GIMP3_DIRECTORY"):
        return [Profile("GIMP3_DIRECTORY", Path(explicit))]
    return [
        Profile(kind, folder)
        for kind, parent in _parents(home, variables, platform)
        for folder in sorted(parent.glob("3.*"))
        if folder.is_dir()
    ]


def _parents(home: Path, variables: Mapping[str, str], platform: str) -> list[tuple[str, Path]]:
    """Return the folders with the profiles of each kind of GIMP, one a version."""
    if platform == "win32":
        return [("Windows", Path(variables.get("APPDATA", home / "AppData/Roaming")) / "GIMP")]
    if platform == "darwin":
        return [("macOS", home / "Library/Application Support/GIMP")]
    config = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        ("distribution or AppImage", config / "GIMP"),
        (FLATPAK, home / ".var/app/org.gimp.GIMP/config/GIMP"),
        (SNAP, home / "snap/gimp/current/.config/GIMP"),
    ]


def copy_plugin(project: Path, plug_ins: Path, python: Path, msgpack: Path, endpoint: str = "") -> Path:
    """Make `plug_ins`/kandinsky-blend anew and return its folder.

    `python` is the project's own, which runs the daemon and the bridge. `msgpack` is that package in the project's
    environment: its modules in Python are put beside the plug-in, so that every GIMP has them; the compiled one, which
    fits one Python only, is left out. `endpoint` is the address of somebody else's daemon, "" for the user's own.
    """
    folder = plug_ins / PLUGIN
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project / "plugin_client" / "gimp" / PLUGIN, folder, ignore=_UNWANTED)
    shutil.copytree(project / "plugin_client", folder / "plugin_client", ignore=_UNWANTED)
    shutil.copytree(msgpack, folder / "msgpack", ignore=_UNWANTED)
    installation = {"python": str(python), **({"endpoint": endpoint} if endpoint else {})}
    (folder / "installation.json").write_text(json.dumps(installation), encoding="utf-8")
    (folder / f"{PLUGIN}.py").chmod(0o755)  # without it GIMP passes over the plug-in, silently
    return folder


def _remove(found: Sequence[Profile]) -> int:
    installed = [profile for profile in found if (profile.plug_ins / PLUGIN).exists()]
    for profile in installed:
        shutil.rmtree(profile.plug_ins / PLUGIN)
        print(f"{profile}: the plug-in is no longer in {profile.plug_ins}")
    if not installed:
        print("The plug-in is in no GIMP 3 that was found: there is nothing to remove.")
    return 0
