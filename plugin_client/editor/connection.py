"""Connections to the daemon: direct where the editor's Python has pyzmq, else through the project's own Python."""

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

from plugin_client.client import Client
from plugin_client.editor.translation import _
from plugin_client.transports.bridge import BridgeTransport
from plugin_client.wire.connection_file import Endpoint, read_connection
from plugin_client.wire.errors import DaemonNotRunning, EndpointError, UsageError, VersionError
from plugin_client.wire.marking import N_
from plugin_client.wire.paths import parse_endpoint

INSTALLATION_FILE = "installation.json"  # beside the plug-in; `python3 install gimp` writes it
INSTALL_AGAIN = "python3 install gimp"  # in the project's folder
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
    """What the installer wrote beside the plug-in: the path of the project's own Python, and a daemon of others."""

    python: str
    endpoint: str = ""  # tcp:// address of a daemon that somebody else runs; "" for this user's own

    @classmethod
    def read(cls) -> Installation:
        """Read the file of the plug-in that runs.

        Raises:
            UsageError: the file is missing or damaged.
        """
        path = Path(sys.argv[0]).with_name(INSTALLATION_FILE)
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as exc:
            raise UsageError(
                N_("{file} is not readable ({reason}): run `python3 install gimp` again"), file=path, reason=exc
            ) from exc

    @property
    def bridge(self) -> list[str]:
        """The command that runs plugin_client.transports.bridge_process."""
        return [self.python, "-m", "plugin_client.transports.bridge_process", *filter(None, [self.endpoint])]

    @property
    def start(self) -> list[str]:
        """The command that starts a daemon and waits for its first answer."""
        return [str(Path(self.python).with_name("kandinsky-blend")), "start"]

    @property
    def start_line(self) -> str:
        """That command as a line for a terminal."""
        return shlex.join(self.start)


def _ignore() -> None:
    """Take no notice."""


def connect_or_start(on_starting: Callable[[], None] = _ignore) -> Client:
    """A client of this user's daemon, which is started where none runs; `on_starting` is called before that.

    Raises:
        DaemonNotRunning: none runs, and none can be started from here; the text has the line that does.
    """
    if _shared_endpoint():
        return connect_to_running()  # it is not for this user to start
    with suppress(DaemonNotRunning):
        return connect_to_running()
    on_starting()
    try:
        start_daemon()
    except DaemonNotRunning:
        with suppress(DaemonNotRunning):
            return connect_to_running()  # another GIMP was quicker
        raise
    return connect_to_running()


def _shared_endpoint() -> str | None:
    """The address of the daemon of others that the plug-in was installed for; None where it is this user's own."""
    try:
        return Installation.read().endpoint or None
    except UsageError:  # not installed, as in a script or a test: who needs the file says so
        return None


def running_daemon() -> Endpoint | None:
    """The endpoint of this user's daemon, which no other daemon has; None where no connection file can be read."""
    try:
        return read_connection(parse_endpoint(_shared_endpoint()))
    except (DaemonNotRunning, EndpointError, VersionError):
        return None


def connect_to_running() -> Client:
    """A client of this user's daemon.

    Raises:
        DaemonNotRunning: none runs.
    """
    return Client(_shared_endpoint()) if transport_name() == "direct" else connect_through_bridge()


def connect_through_bridge() -> Client:
    """A client of this user's daemon for a Python without pyzmq. Errors as of connect_to_running."""
    read_connection(parse_endpoint(_shared_endpoint()))  # tells at once that there is none, without a child process
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
    """The reason why no daemon can be started from here; "" where it can be."""
    for sandbox, is_here in _SANDBOXES.items():
        if is_here():
            return _("a GIMP in a {sandbox} starts no programs outside of it").format(sandbox=sandbox)
    if is_moved(installation):
        return _("the program {program} is not there").format(program=installation.start[0])
    return ""


def is_moved(installation: Installation) -> bool:
    """Whether the project's programs are no longer where the installer found them."""
    return not os.access(installation.start[0], os.X_OK)


def advice(installation: Installation) -> str:
    """The line for a terminal where no daemon can be started from here: never one of a program that is missing."""
    return INSTALL_AGAIN if is_moved(installation) else installation.start_line


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
        raise _start_failed(installation, exc.stderr) from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _not_startable(installation, str(exc)) from exc


def _not_startable(installation: Installation, reason: str) -> DaemonNotRunning:
    if is_moved(installation):
        return DaemonNotRunning(
            N_("no daemon runs, and GIMP cannot start one: {reason}. Run `{command}` again in the project's folder"),
            reason=reason,
            command=INSTALL_AGAIN,
        )
    return DaemonNotRunning(
        N_("no daemon runs, and GIMP cannot start one here ({reason}): run this in a terminal: {command}"),
        reason=reason,
        command=installation.start_line,
    )


def _start_failed(installation: Installation, said: str) -> DaemonNotRunning:
    last_line = said.strip().rpartition("\n")[2]
    if not last_line:
        return DaemonNotRunning(N_("{command} failed"), command=installation.start_line)
    return DaemonNotRunning(last_line)
