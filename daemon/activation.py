"""Socket activation: a service manager that has bound the daemon's socket hands it over, as sd_listen_fds(3) has it.

Clients may then connect before the daemon runs: the manager starts it when the first one comes.
"""

from __future__ import annotations

import os
import socket

from daemon.errors import DaemonError

FIRST_DESCRIPTOR = 3


def inherited_socket(address: str) -> int | None:
    """Return the descriptor of a listening Unix socket that was handed to this process; None if none was.

    The variables that told of it are removed, so that the daemon's children do not take it for theirs.

    Raises:
        DaemonError: several were handed over, or one that does not listen at `address`.
    """
    meant, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if meant != str(os.getpid()) or count == "0":
        return None
    if count != "1":
        raise DaemonError(f"{count} sockets were handed over by the service manager: a daemon listens at one")
    os.set_inheritable(FIRST_DESCRIPTOR, False)
    found = _address_of(FIRST_DESCRIPTOR)
    if found != address:
        raise DaemonError(f"the socket that the service manager handed over is {found}: the endpoint is {address}")
    return FIRST_DESCRIPTOR


def _address_of(descriptor: int) -> str:
    """Return where a descriptor listens, as an endpoint, or in words what else it is."""
    try:
        handed = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return "no socket"
    with handed:
        if not handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return "one that does not listen"
        name = handed.getsockname()
        return f"ipc://{name}" if handed.family == socket.AF_UNIX else f"at {name}"
