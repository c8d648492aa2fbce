"""How the plug-in reaches the daemon: directly where GIMP's Python has pyzmq, else through the project's own Python."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plugin_client.bridge_transport import BridgeTransport
from plugin_client.client import Client
from plugin_client.gimp.translation import _
from plugin_client.wire.endpoint import Endpoint, parse_endpoint, read_connection
from plugin_client.wire.errors import DaemonNotRunning, EndpointError, UsageError, VersionError

INSTALLATION_FILE = "installation.json"  # beside the plug-in; `python3 install gimp` writes it
START_SECONDS = 90.0

# Of GIMP's own libraries and modules, which are not those of another Python.
_FOREIGN = ("LD_", "DYLD_", "PYTHON", "GI_", "GIO_", "GTK_", "GDK_", "GEGL_", "BABL_")

# A program that a Snap has started inherits its variables: hence the name.
_SANDBOXES: dict[str, Callable[[], bool]] = {
    "Flatpak": Path("/.flatpak-info").exists,
    "Snap": lambda: os.environ.get("SNAP_NAME") == "gimp",
}


@dataclass(frozen=True)
class Installation:
    """What the installer knew: the project's own Python."""

    python: str

    @classmethod
    def read(cls) -> Installation:
        """Of the plug-in that runs.

        Raises:
            UsageError: the file is missing or damaged.
        """
        path = Path(sys.argv[0]).with_name(INSTALLATION_FILE)
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as exc:
            raise UsageError(
                _("{file} is not readable ({reason}): run `python3 install gimp` again").format(file=path, reason=exc)
            ) from exc

    @property
    def bridge(self) -> list[str]:
        """The command that runs plugin_client.bridge."""
        return [self.python, "-m", "plugin_client.bridge"]

    @property
    def start(self) -> list[str]:
        """The command that starts a daemon and waits for its first answer."""
        return [str(Path(self.python).with_name("kandinsky-blend")), "start"]

    @property
    def start_line(self) -> str:
        """The same, to be copied into a terminal."""
        return shlex.join(self.start)


def connect() -> Client:
    """A client of this user's daemon, which is started where none runs.

    Raises:
        DaemonNotRunning: none runs, and none can be started from here; the text has the line that does.
    """
    with suppress(DaemonNotRunning):
        return connect_to_running()
    try:
        start_daemon()
    except DaemonNotRunning:
        with suppress(DaemonNotRunning):
            return connect_to_running()  # another GIMP was quicker
        raise
    return connect_to_running()


def running_daemon() -> Endpoint | None:
    """How this user's daemon is reached, which tells it from every other one; None where none runs that we know."""
    try:
        return read_connection(parse_endpoint(None))
    except (DaemonNotRunning, EndpointError, VersionError):
        return None


def connect_to_running() -> Client:
    """A client of this user's daemon.

    Raises:
        DaemonNotRunning: none runs.
    """
    return Client() if transport_name() == "direct" else connect_through_bridge()


def connect_through_bridge() -> Client:
    """The same from a Python without pyzmq."""
    read_connection(parse_endpoint(None))  # tells at once that there is none, without a child process
    return Client(transport=BridgeTransport(Installation.read().bridge, clean_environment()))


def transport_name() -> str:
    """ "direct" or "bridge". A pyzmq that is there and does not work in this Python counts as none."""
    try:
        import zmq  # noqa: F401 - to see whether it can be
    except ImportError:
        return "bridge"
    return "direct"


def clean_environment() -> dict[str, str]:
    """This process's environment without what GIMP put there for its own libraries."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}


def why_no_start(installation: Installation) -> str:
    """Why no daemon can be started from here; "" where it can be."""
    for sandbox, is_here in _SANDBOXES.items():
        if is_here():
            return _("a GIMP in a {sandbox} starts no programs outside of it").format(sandbox=sandbox)
    if not os.access(installation.start[0], os.X_OK):
        return _("the program {program} is not there").format(program=installation.start[0])
    return ""


def start_daemon() -> None:
    """Start this user's daemon, and wait for its first answer.

    Raises:
        DaemonNotRunning: it cannot be started from here, and the text has the line that does; or it has not started,
            and the text has its last words.
        UsageError: as of Installation.read.
    """
    installation = Installation.read()
    if reason := why_no_start(installation):
        raise _not_startable(installation, reason)
    try:
        subprocess.run(
            installation.start,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise DaemonNotRunning(
            _last_line(exc.stderr) or _("{command} failed").format(command=installation.start_line)
        ) from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _not_startable(installation, str(exc)) from exc


def _not_startable(installation: Installation, reason: str) -> DaemonNotRunning:
    return DaemonNotRunning(
        _("no daemon runs, and GIMP cannot start one here ({reason}): run this in a terminal: {command}").format(
            reason=reason, command=installation.start_line
        )
    )


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
