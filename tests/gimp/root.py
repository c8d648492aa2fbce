"""A real GIMP 3 in a folder of its own, on a machine whose distribution has an older one or none.

    python -m tests.gimp.root            makes GIMP 3.0, in about two minutes and 0.9 GB
    python -m tests.gimp.root 3.2        makes GIMP 3.2 as well; KANDINSKY_GIMP=3.2 has the tests run in that one

They lie in ~/.cache/kandinsky-blend, or where KANDINSKY_GIMP_ROOT says, and are made of Debian's packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUITES = {"3.0": "trixie", "3.2": "forky"}  # of Debian
TOOLS = ("mmdebstrap", "bwrap")
TOOL_PACKAGES = ("mmdebstrap", "bubblewrap")
PACKAGES = (
    *("gimp", "gir1.2-gimp-3.0", "python3-gi", "python3-gi-cairo", "python3-zmq", "python3-msgpack"),
    *("fonts-dejavu-core", "adwaita-icon-theme", "shared-mime-info"),
    *("xvfb", "openbox", "xdotool", "scrot", "dbus", "dbus-daemon", "dbus-bin"),
    *("at-spi2-core", "gir1.2-atspi-2.0", "procps"),
)


class NoRoot(Exception):
    """No GIMP can be had here. The text says why."""


def root() -> Path:
    """The folder of the version that the tests run in, made now where it is missing. Errors as of `make_root`."""
    return make_root(os.environ.get("KANDINSKY_GIMP", "3.0"))


def make_root(version: str) -> Path:
    """The folder of a version, made now where it is missing.

    Raises:
        NoRoot: Debian has no such version, or it needs root's rights, Debian's tools or the network.
    """
    if version not in SUITES:
        raise NoRoot(f"there is no GIMP {version} to be had here, but {' and '.join(SUITES)}")
    folder = Path(os.environ.get("KANDINSKY_GIMP_ROOT", Path.home() / f".cache/kandinsky-blend/gimp-{version}"))
    if not (folder / f"usr/bin/gimp-console-{version}").exists():
        _make(folder, version)
    if not shutil.which("bwrap"):
        _install_tools()
    return folder


def _make(folder: Path, version: str) -> None:
    command = f"sudo python -m tests.gimp.root {version}"
    if os.geteuid() != 0:
        raise NoRoot(f"there is no GIMP in {folder}, and only root can make it: {command}")
    _install_tools()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="gimp-") as parent:
        made = Path(parent) / "root"
        # The index of a suite that is no release yet may be older than it says it may be.
        apt = ('APT::Install-Recommends "false"', 'Acquire::Check-Valid-Until "false"')
        # apt, not extract: the icon and MIME caches are made by the packages' own scripts
        options = ["--mode=root", "--variant=apt", *(f"--aptopt={option}" for option in apt)]
        _run("mmdebstrap", *options, f"--include={','.join(PACKAGES)}", SUITES[version], str(made))
        _check(made, version)
        made.replace(folder)  # whole or not at all


def _check(made: Path, version: str) -> None:
    if not (made / f"usr/bin/gimp-console-{version}").exists():
        found = " and ".join(path.name for path in made.glob("usr/bin/gimp-console-*"))
        raise NoRoot(f"Debian {SUITES[version]} has no GIMP {version} any more, but {found}")


def _install_tools() -> None:
    if all(map(shutil.which, TOOLS)):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoRoot(f"{' and '.join(TOOL_PACKAGES)} are missing: sudo apt-get install {' '.join(TOOL_PACKAGES)}")
    _run("apt-get", "update")
    _run("apt-get", "install", "--yes", "--no-install-recommends", *TOOL_PACKAGES)


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoRoot(f"{command[0]} failed: {done.stderr.strip().rpartition(chr(10))[2]}")


if __name__ == "__main__":
    try:
        print(*map(make_root, sys.argv[1:] or ["3.0"]), sep="\n")
    except NoRoot as exc:
        sys.exit(str(exc))
