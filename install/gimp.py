"""`python3 install gimp`: the GIMP 3 plug-in into GIMP's folders, and out of them again with --remove."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from install.environment import Environment
from install.steps import InstallError

PLUGIN = "kandinsky-blend"  # the folder, and the file in it without .py: GIMP wants the same name for both
REMOVE = "--remove"
MENU = "Filters > Kandinsky > Blend Layers and Prompts..."

_UNWANTED = shutil.ignore_patterns("__pycache__", PLUGIN, "*.so", "*.pyd", "*.pyx", "*.po", "*.pot")


@dataclass(frozen=True)
class Profile:
    """A folder in which one installation of GIMP 3 keeps a user's things."""

    kind: str
    folder: Path

    @property
    def plug_ins(self) -> Path:
        return self.folder / "plug-ins"


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Install the plug-in for every GIMP 3 that this user has started, or remove it."""
    if list(arguments) not in ([], [REMOVE]):
        raise InstallError(f"gimp takes {REMOVE} or nothing, and was given {' '.join(arguments)}.")
    if arguments:
        return _remove(profiles(Path.home(), os.environ, sys.platform))
    found = profiles(Path.home(), os.environ, sys.platform)
    if not found:
        raise InstallError(
            "No GIMP 3 was found: install GIMP 3.0 or newer, start it once, and run the same command again. "
            "A profile in an unusual place is found through GIMP3_DIRECTORY."
        )
    environment.ensure()
    for profile in found:
        folder = copy_plugin(environment.project, profile.plug_ins, environment.python, _msgpack(environment))
        print(f"{profile.kind}: the plug-in is in {folder}")
    print(f"Restart GIMP, and open {MENU}")
    return 0


def profiles(home: Path, variables: Mapping[str, str], platform: str) -> list[Profile]:
    """The profiles of GIMP 3 that exist: GIMP makes its own when it is first started.

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
    """Where each kind of GIMP keeps its profiles, one folder a version."""
    if platform == "win32":
        return [("GIMP", Path(variables.get("APPDATA", home / "AppData/Roaming")) / "GIMP")]
    if platform == "darwin":
        return [("GIMP", home / "Library/Application Support/GIMP")]
    config = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        ("GIMP of the distribution, or AppImage", config / "GIMP"),
        ("Flatpak", home / ".var/app/org.gimp.GIMP/config/GIMP"),
        ("Snap", home / "snap/gimp/current/.config/GIMP"),
    ]


def copy_plugin(project: Path, plug_ins: Path, python: Path, msgpack: Path) -> Path:
    """Make `plug_ins`/kandinsky-blend anew; the folder that it is now.

    `python` is the project's own, which runs the daemon and the bridge. `msgpack` is that package in the project's
    environment: its modules in Python are put beside the plug-in, so that every GIMP has them; the compiled one, which
    fits one Python only, is left out.
    """
    folder = plug_ins / PLUGIN
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project / "plugin_client" / "gimp" / PLUGIN, folder, ignore=_UNWANTED)
    shutil.copytree(project / "plugin_client", folder / "plugin_client", ignore=_UNWANTED)
    shutil.copytree(msgpack, folder / "msgpack", ignore=_UNWANTED)
    (folder / "installation.json").write_text(json.dumps({"python": str(python)}), encoding="utf-8")
    (folder / f"{PLUGIN}.py").chmod(0o755)  # without it GIMP passes over the plug-in, silently
    return folder


def _remove(found: Sequence[Profile]) -> int:
    installed = [profile for profile in found if (profile.plug_ins / PLUGIN).exists()]
    for profile in installed:
        shutil.rmtree(profile.plug_ins / PLUGIN)
        print(f"{profile.kind}: the plug-in is no longer in {profile.plug_ins}")
    if not installed:
        print("The plug-in is in no GIMP 3 that was found: there is nothing to remove.")
    return 0


def _msgpack(environment: Environment) -> Path:
    """The package in the project's environment."""
    found = sorted(environment.folder.glob("lib/python3.*/site-packages/msgpack"))
    if not found:
        raise InstallError(f"{environment.folder} has no msgpack: remove that folder and run the same command again.")
    return found[0]
