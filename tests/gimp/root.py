"""A real GIMP 3 in a folder of its own, on a machine whose distribution has an older one or none.

    python -m tests.gimp.root      makes it, in about two minutes and 0.9 GB

It lies in ~/.cache/kandinsky-blend, or where KANDINSKY_GIMP_ROOT says, and is made of Debian 13's packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = "trixie"
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
    """The folder, made now where it is missing.

    Raises:
        NoRoot: that needs root's rights, Debian's tools or the network.
    """
    folder = Path(os.environ.get("KANDINSKY_GIMP_ROOT", Path.home() / ".cache/kandinsky-blend/gimp-3.0"))
    if not (folder / "usr/bin/gimp-console-3.0").exists():
        _make(folder)
    if not shutil.which("bwrap"):
        _install_tools()
    return folder


def _make(folder: Path) -> None:
    if os.geteuid() != 0:
        raise NoRoot(f"there is no GIMP in {folder}, and only root can make it: sudo python -m tests.gimp.root")
    _install_tools()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="gimp-") as parent:
        made = Path(parent) / "root"
        without_recommends = '--aptopt=APT::Install-Recommends "false"'
        # apt, not extract: the icon and MIME caches are made by the packages' own scripts
        options = ["--mode=root", "--variant=apt", without_recommends, f"--include={','.join(PACKAGES)}"]
        _run("mmdebstrap", *options, SUITE, str(made))
        made.replace(folder)  # whole or not at all


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
        print(root())
    except NoRoot as exc:
        sys.exit(str(exc))
