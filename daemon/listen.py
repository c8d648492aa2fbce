"""The daemon's socket: bound so that this user's clients alone can come in, and told in the connection file."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator

from daemon.activation import inherited_socket
from daemon.errors import DaemonError
from daemon.keys import ClientKeys
from daemon.router import Router
from plugin_client.wire import connection_file
from plugin_client.wire.connection_file import Endpoint
from plugin_client.wire.errors import EndpointError

log = logging.getLogger(__name__)


@contextmanager
def listen(
    context: zmq.Context[zmq.Socket[bytes]], address: str, keys: ClientKeys
) -> Iterator[tuple[Router, Endpoint]]:
    """A bound ROUTER socket, and where it is reached, which the connection file tells as long as the socket is open.

    The caller holds the lock of `address`, so what a killed daemon left there is removed. Over TCP those who have one
    of `keys` come in, too.

    Raises:
        DaemonError: the socket cannot be bound, or the daemon's lasting keys cannot be read.
        EndpointError: the connection file cannot be written.
    """
    connection_file.remove_connection(address)
    router = Router(context, keys.admits)
    try:
        with _bind_privately(context, router, address, keys) as reached_at:
            connection_file.write_connection(address, reached_at)
            try:
                yield router, reached_at
            finally:
                _leave_nothing(address)
    finally:
        router.close()


def _leave_nothing(address: str) -> None:
    try:
        connection_file.remove_connection(address)
    except EndpointError as exc:  # of a disk that has become read-only: the daemon ends in good order all the same
        log.warning("%s", exc)


@contextmanager
def _bind_privately(
    context: zmq.Context[zmq.Socket[bytes]], router: Router, address: str, keys: ClientKeys
) -> Iterator[Endpoint]:
    """Bind so that this user's clients alone can come in: by the folder's mode, or over TCP by their key.

    A socket of the service manager's is always one of the former: inherited_socket() takes no other.
    """
    inherited = inherited_socket(address)
    if inherited is not None:  # bound by the service manager, in whose hands its path is
        router.socket.setsockopt(zmq.USE_FD, inherited)
        yield Endpoint(_bind(router.socket, address), os.getpid())
        return
    if address.startswith("ipc://"):
        path = Path(address.removeprefix("ipc://"))
        _check_free(path)
        try:
            yield Endpoint(_bind(router.socket, address), os.getpid())
        finally:
            with suppress(OSError):  # on a disk that has become read-only
                path.unlink(missing_ok=True)
        return
    (server_public, server_secret), (client_public, client_secret) = connection_file.new_keys()
    if keys.names():
        server_public, server_secret = keys.server()
    router.own_key = client_public
    router.socket.ipv6 = "[" in address
    router.socket.curve_server = True
    router.socket.curve_secretkey = server_secret.encode()
    with _admit(context, client_public, keys):
        yield Endpoint(_bind(router.socket, address), os.getpid(), server_public, client_public, client_secret)


@contextmanager
def _admit(context: zmq.Context[zmq.Socket[bytes]], own_key: str, keys: ClientKeys) -> Iterator[None]:
    """While this lasts, CURVE sockets of the context admit clients that prove that they have a key, and no others."""
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    try:
        authenticator.configure_curve_callback(credentials_provider=_Admitted(own_key, keys))
        yield
    finally:
        authenticator.stop()


class _Admitted:
    """The credentials provider of pyzmq's authenticator: admits the daemon's own user, and who has one of `keys`."""

    def __init__(self, own_key: str, keys: ClientKeys) -> None:
        self._own_key = own_key
        self._keys = keys

    def callback(self, domain: str, key: bytes) -> bool:
        return key.decode() == self._own_key or self._keys.admits(key.decode())


def _bind(router: zmq.Socket[bytes], address: str) -> str:
    """Bind, and return the address with its real port. Raises: DaemonError."""
    try:
        router.bind(address)
    except zmq.ZMQError as exc:
        reason = zmq.strerror(exc.errno or 0)
        raise DaemonError(f"cannot listen at {address}: {reason}; choose another --endpoint") from exc
    return router.getsockopt_string(zmq.LAST_ENDPOINT)


def _check_free(path: Path) -> None:
    """Refuse a path that libzmq would take from its owner without a word. Raises: DaemonError."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise DaemonError(f"{path} is a file, not a socket: choose another --endpoint")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise DaemonError(f"another program listens at {path}: choose another --endpoint")
