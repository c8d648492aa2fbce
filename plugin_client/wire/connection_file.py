"""The connection file: the address and keys with which clients reach a daemon."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from plugin_client.wire.errors import DaemonNotRunning, EndpointError, VersionError, show
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import PROTOCOL_VERSION
from plugin_client.wire.paths import (
    check_trusted,
    close_if_empty,
    connection_file,
    make_data_folder,
    parse_endpoint,
    refuse_shared,
    write_privately,
)

MAX_CONNECTION_FILE_BYTES = 64 * 1024

_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85, as libzmq writes CURVE keys


@dataclass(frozen=True)
class Endpoint:
    """The contents of a connection file: address and keys of a daemon. Keys are Z85 text, empty for ipc."""

    address: str  # ipc:///path or tcp://host:port
    pid: int  # the daemon's process id, to be shown; 0 while a service manager listens in its place
    server_key: str = ""
    client_public_key: str = ""
    client_secret_key: str = field(default="", repr=False)


def write_connection(address: str, endpoint: Endpoint) -> Path:
    """Write the connection file for clients of `address`, whole or not at all, readable by this user only; its path.

    `endpoint.address` is the real one: it differs from `address` where that has port 0.

    Raises:
        EndpointError: the folder is not private, or the file cannot be written.
    """
    make_data_folder()
    path = connection_file(address)
    try:
        write_privately(path, connection_text(endpoint))
    except OSError as exc:
        raise EndpointError(
            N_("the connection file {path} cannot be written: {reason}"), "unwritable", path=path, reason=exc.strerror
        ) from exc
    return path


def connection_text(endpoint: Endpoint) -> str:
    """Return what a connection file, or the key file of a client, holds."""
    return json.dumps({"protocol": PROTOCOL_VERSION, **asdict(endpoint)}, indent=2) + "\n"


def read_connection(address: str) -> Endpoint:
    """Read how to reach the daemon at `address`.

    Without a connection file, which a daemon removes when it stops, a Unix socket may be there all the same: that of a
    service manager, which starts the daemon when somebody connects.

    Raises:
        DaemonNotRunning: neither is there.
        EndpointError: the file is malformed, or it, its folder or one on the way there is open to other users.
        VersionError: the daemon that wrote it speaks another version of the protocol.
    """
    path = connection_file(address)
    if path.parent.exists():
        close_if_empty(path.parent)
        check_trusted(path.parent)
    try:
        contents = _read_json(path)
    except FileNotFoundError as exc:
        if address.startswith("ipc://") and Path(address.removeprefix("ipc://")).is_socket():
            return Endpoint(address, pid=0)
        raise DaemonNotRunning(
            N_("no daemon runs at {address}: start one with `kandinsky-blend start`"), "no-daemon", address=address
        ) from exc
    return _checked(contents, path)


def read_key_file(path: Path) -> Endpoint:
    """Read a client's key file, which who runs a shared daemon has made with `kandinsky-daemon keys add`.

    Raises:
        EndpointError: it is missing, malformed, or open to other users.
        VersionError: the daemon speaks another version of the protocol.
    """
    try:
        return _checked(_read_json(path), path)
    except FileNotFoundError as exc:
        raise EndpointError(
            N_("the connection file {path} is not readable: {reason}"), "unreadable", path=path, reason=exc.strerror
        ) from exc


def _checked(contents: dict[str, Any], path: Path) -> Endpoint:
    if (version := contents.pop("protocol", None)) != PROTOCOL_VERSION:
        raise VersionError(
            N_(
                "the daemon at {address} speaks protocol version {version!r}, and this side speaks {known}: "
                "install the same version of Kandinsky Blend on both sides and start the daemon again"
            ),
            "protocol-version",
            address=contents.get("address", path),
            version=version,
            known=PROTOCOL_VERSION,
        )
    return _endpoint(contents, path)


def _read_json(path: Path) -> dict[str, Any]:
    """Return the map in a private JSON file. Raises: FileNotFoundError; EndpointError as of read_connection."""
    try:
        with path.open("rb") as file:
            refuse_shared(path, os.fstat(file.fileno()))
            contents = json.loads(file.read(MAX_CONNECTION_FILE_BYTES))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as exc:
        raise EndpointError(
            N_("the connection file {path} is not readable: {reason}"), "unreadable", path=path, reason=exc
        ) from exc
    if type(contents) is not dict:
        raise EndpointError(N_("the connection file {path} holds no map"), "malformed", path=path)
    return contents


def _endpoint(contents: dict[str, Any], path: Path) -> Endpoint:
    expected = {field.name: int if field.name == "pid" else str for field in fields(Endpoint)}
    if contents.keys() != expected.keys():
        raise EndpointError(
            N_("the connection file {path} must hold exactly {names}"),
            "malformed",
            path=path,
            names=", ".join(expected),
        )
    for name, kind in expected.items():
        if type(contents[name]) is not kind:
            raise EndpointError(
                N_("{name} in the connection file {path} is {value}"),
                "malformed",
                name=name,
                path=path,
                value=show(contents[name]),
            )
    endpoint = Endpoint(**contents)
    parse_endpoint(endpoint.address)
    keys = (endpoint.server_key, endpoint.client_public_key, endpoint.client_secret_key)
    if endpoint.address.startswith("tcp://") and not all(map(_KEY.fullmatch, keys)):
        raise EndpointError(
            N_("the connection file {path} lacks a CURVE key, without which tcp is not used"), "malformed", path=path
        )
    return endpoint


def remove_connection(address: str) -> None:
    """Remove the connection file. A missing file is no error.

    Raises:
        EndpointError: it cannot be removed.
    """
    path = connection_file(address)
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise EndpointError(
            N_("the connection file {path} cannot be removed: {reason}"), "unwritable", path=path, reason=exc.strerror
        ) from exc


def new_keys() -> tuple[tuple[str, str], tuple[str, str]]:
    """Make CURVE keys: (public, secret) of the daemon, (public, secret) of its clients, as Z85 text."""
    import zmq  # only the daemon makes keys: an editor without pyzmq reads connection files too

    server, client = zmq.curve_keypair(), zmq.curve_keypair()
    return (server[0].decode(), server[1].decode()), (client[0].decode(), client[1].decode())
