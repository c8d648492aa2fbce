"""Where the daemon listens, and how a client finds it.

Everything lies in one private folder: the Unix socket, a connection file for each endpoint, a lock for each endpoint.
Security rests on that folder: who can read it may use the daemon, nobody else can.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from plugin_client.wire.errors import DaemonNotRunning, EndpointError, VersionError
from plugin_client.wire.locking import lock
from plugin_client.wire.messages import PROTOCOL_VERSION

HOME_VARIABLE = "KANDINSKY_BLEND_HOME"
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, one of them for the closing zero.
MAX_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
MAX_CONNECTION_FILE_BYTES = 64 * 1024

_TCP = re.compile(r"tcp://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85, as libzmq writes CURVE keys


@dataclass(frozen=True)
class Endpoint:
    """What a client needs to reach a daemon: the contents of a connection file. Keys are Z85 text, empty for ipc."""

    address: str  # ipc:///path or tcp://host:port
    pid: int  # of the daemon, to be shown
    server_key: str = ""
    client_public_key: str = ""
    client_secret_key: str = field(default="", repr=False)


def data_folder() -> Path:
    """The folder of this user's daemon; it need not exist yet."""
    if explicit := os.environ.get(HOME_VARIABLE):
        return Path(explicit).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "kandinsky-blend"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/kandinsky-blend"
    # Not XDG_DATA_HOME: a sandboxed editor changes that, and both sides must find the same folder.
    return Path.home() / ".local/share/kandinsky-blend"


def make_data_folder() -> Path:
    """The data folder, made for this user alone where it is missing.

    Raises:
        EndpointError: it cannot be made, or others can enter it.
    """
    folder = data_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise EndpointError(f"the folder {folder} cannot be made: {exc.strerror}; set {HOME_VARIABLE}") from exc
    check_private(folder)
    return folder


def check_private(path: Path) -> None:
    """Refuse a folder or file that is not this user's alone.

    Raises:
        EndpointError: it is missing, belongs to somebody else, or its mode lets others in.
    """
    try:
        status = path.stat()
    except OSError as exc:
        raise EndpointError(f"{path} cannot be looked at: {exc.strerror}") from exc
    _refuse_shared(path, status)


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if sys.platform == "win32":
        return  # the profile folder's access list keeps others out
    if status.st_uid != os.getuid():
        raise EndpointError(f"{path} belongs to user {status.st_uid}, not to you ({os.getuid()}): it is not trusted")
    if mode := stat.S_IMODE(status.st_mode) & 0o077:
        raise EndpointError(f"{path} is open to other users (mode {mode:03o}): run chmod go= {path}")


def default_address() -> str:
    """The address of a daemon that was given none. Port 0 means that the connection file tells the real one."""
    return "tcp://127.0.0.1:0" if sys.platform == "win32" else f"ipc://{data_folder() / 'daemon.sock'}"


def parse_endpoint(text: str | None) -> str:
    """A checked address: `ipc:///path/of/socket`, `tcp://host:port`, or the default for None.

    Raises:
        EndpointError: it is neither, or the socket's path is longer than the system allows.
    """
    address = default_address() if text is None else text
    if address.startswith("ipc://"):
        path = address.removeprefix("ipc://")
        if not Path(path).is_absolute():
            raise EndpointError(f"the endpoint {address} is not an absolute path: write ipc:///folder/name.sock")
        check_socket_path(path, f"choose a shorter one with --endpoint, or a shorter folder with {HOME_VARIABLE}")
    else:
        _check_tcp(address)
    return address


def check_socket_path(path: str, advice: str) -> None:
    """Refuse the path of a Unix socket that the system cannot hold; `advice` says what to do.

    Raises:
        EndpointError: it is longer than MAX_SOCKET_PATH_BYTES.
    """
    if (length := len(os.fsencode(path))) > MAX_SOCKET_PATH_BYTES:
        raise EndpointError(
            f"the socket path {path} has {length} bytes, and this system allows {MAX_SOCKET_PATH_BYTES}: {advice}"
        )


def _check_tcp(address: str) -> None:
    match = _TCP.fullmatch(address)
    if not match or int(match["port"]) > 65535:
        raise EndpointError(f"{address!r} is no endpoint: write ipc:///folder/name.sock or tcp://127.0.0.1:5555")


# --- connection file ---------------------------------------------------------------------------------------------


def connection_file(address: str) -> Path:
    """Where the daemon at `address` tells its clients how to reach it."""
    return data_folder() / f"{_stem(address)}.json"


def _stem(address: str) -> str:
    if address == default_address():
        return "daemon"
    return f"daemon-{hashlib.sha256(address.encode()).hexdigest()[:16]}"


def write_connection(address: str, endpoint: Endpoint) -> Path:
    """Tell clients that look for `address` how to reach it. Written at once or not at all, readable by this user only.

    `endpoint.address` is the real one: it differs from `address` where that has port 0.

    Raises:
        EndpointError: the folder is not private, or the file cannot be written.
    """
    make_data_folder()
    path = connection_file(address)
    contents = json.dumps({"protocol": PROTOCOL_VERSION, **asdict(endpoint)}, indent=2) + "\n"
    try:
        write_privately(path, contents)
    except OSError as exc:
        raise EndpointError(f"the connection file {path} cannot be written: {exc.strerror}") from exc
    return path


def write_privately(path: Path, text: str) -> None:
    """Write a file at once or not at all, for this user alone. Raises: OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # of mode 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_connection(address: str) -> Endpoint:
    """How to reach the daemon at `address`.

    Raises:
        DaemonNotRunning: there is no connection file, or no more: a daemon that stops takes it away.
        EndpointError: the file is malformed or open to others.
        VersionError: it is of a daemon that speaks another version of the protocol.
    """
    path = connection_file(address)
    try:
        contents = _read_json(path)
    except FileNotFoundError as exc:
        raise DaemonNotRunning(f"no daemon runs at {address}: start one with `kandinsky-blend start`") from exc
    if (version := contents.pop("protocol", None)) != PROTOCOL_VERSION:
        raise VersionError(
            f"the daemon at {address} speaks protocol version {version!r}, and this side speaks {PROTOCOL_VERSION}: "
            "install the same version of Kandinsky Blend on both sides and start the daemon again"
        )
    return _endpoint(contents, path)


def _read_json(path: Path) -> dict[str, Any]:
    """What a private file says. Raises: FileNotFoundError; EndpointError as of read_connection."""
    try:
        with path.open("rb") as file:
            _refuse_shared(path, os.fstat(file.fileno()))
            contents = json.loads(file.read(MAX_CONNECTION_FILE_BYTES))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as exc:
        raise EndpointError(f"the connection file {path} is not readable: {exc}") from exc
    if type(contents) is not dict:
        raise EndpointError(f"the connection file {path} holds no map")
    return contents


def _endpoint(contents: dict[str, Any], path: Path) -> Endpoint:
    expected = {field.name: int if field.name == "pid" else str for field in fields(Endpoint)}
    if contents.keys() != expected.keys():
        raise EndpointError(f"the connection file {path} must hold exactly {', '.join(expected)}")
    for name, kind in expected.items():
        if type(contents[name]) is not kind:
            raise EndpointError(f"{name} in the connection file {path} is {contents[name]!r:.60}")
    endpoint = Endpoint(**contents)
    parse_endpoint(endpoint.address)
    keys = (endpoint.server_key, endpoint.client_public_key, endpoint.client_secret_key)
    if endpoint.address.startswith("tcp://") and not all(map(_KEY.fullmatch, keys)):
        raise EndpointError(f"the connection file {path} lacks a CURVE key, without which tcp is not used")
    return endpoint


def remove_connection(address: str) -> None:
    """Take the connection file away, as a daemon does when it stops. A missing file is no error."""
    connection_file(address).unlink(missing_ok=True)


def new_keys() -> tuple[tuple[str, str], tuple[str, str]]:
    """Fresh CURVE keys: (public, secret) of the daemon, (public, secret) of its clients, as Z85 text."""
    import zmq  # only the daemon makes keys: an editor without pyzmq reads connection files too

    server, client = zmq.curve_keypair(), zmq.curve_keypair()
    return (server[0].decode(), server[1].decode()), (client[0].decode(), client[1].decode())


# --- lock --------------------------------------------------------------------------------------------------------


class Lock:
    """Held by the daemon of an address for as long as it lives, and taken before it binds.

    libzmq lets a second process take over an ipc path without a word, so the socket itself is no lock. The system
    drops the lock when the process ends, however it ends. The file stays: removing it would let two daemons each hold
    a lock on a file of the same name.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Lock:
        """Take the lock.

        Raises:
            EndpointError: another daemon holds it (the text has its process id), or the data folder or the folder of
                the socket is not private.
        """
        path = make_data_folder() / f"{_stem(self.address)}.lock"
        if self.address.startswith("ipc://"):
            check_private(Path(self.address.removeprefix("ipc://")).parent)
        try:
            file = path.open("a+b")
        except OSError as exc:
            raise EndpointError(f"the lock file {path} cannot be opened: {exc.strerror}") from exc
        try:
            lock(file)
        except OSError as exc:
            holder = _read_pid(file)
            file.close()
            raise EndpointError(f"a daemon already runs at {self.address} (process {holder})") from exc
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()
            self._file = None


def _read_pid(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(20).decode("ascii", "replace") or "unknown"
