"""Paths of the files of this user's daemon, and the addresses at which it listens.

Everything lies in one private folder: the Unix socket, and for each address a connection file, a lock, a log and the
jobs.
Security rests on that folder: who can read it may use the daemon, nobody else can.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from plugin_client.wire.errors import EndpointError
from plugin_client.wire.marking import N_

HOME_VARIABLE = "KANDINSKY_BLEND_HOME"
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, one of them for the closing zero.
MAX_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107

MAX_LOG_BYTES = 4 * 2**20  # of a log; what a longer one holds is set aside

_ROOT = 0
_UNMAPPED = 65534  # owns what is root's, as a sandboxed editor sees it

_TCP = re.compile(r"tcp://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")


def data_folder() -> Path:
    """Return the folder of this user's daemon; it need not exist yet."""
    if explicit := os.environ.get(HOME_VARIABLE):
        return Path(explicit).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "kandinsky-blend"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/kandinsky-blend"
    # Not XDG_DATA_HOME: a sandboxed editor changes that, and both sides must find the same folder.
    return Path.home() / ".local/share/kandinsky-blend"


def make_data_folder() -> Path:
    """Return the data folder, made for this user alone where it is missing, or is this user's and empty.

    Raises:
        EndpointError: the folder cannot be made, or holds something and other users can enter it.
    """
    folder = data_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise _no_folder(folder, exc.strerror) from exc
    close_if_empty(folder)
    check_private(folder)
    return folder


def make_subfolder(name: str) -> Path:
    """Return the folder of this name in the data folder, made for this user alone where it is missing.

    Raises:
        EndpointError: as of make_data_folder.
        OSError: the folder in it cannot be made.
    """
    folder = make_data_folder() / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _no_folder(path: Path, reason: str | None) -> EndpointError:
    return EndpointError(
        N_("the folder {path} cannot be made: {reason}; set {variable}"),
        "no-folder",
        path=path,
        reason=reason,
        variable=HOME_VARIABLE,
    )


def close_if_empty(folder: Path) -> None:
    """Keep others out of a folder of this user that holds nothing yet, as one that was made by a plain mkdir.

    It is closed before it is looked at: what others put there until then is found, and it is left as it was.
    """
    if sys.platform == "win32":
        return
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # who looks at it next says why
    try:
        status = os.fstat(opened)
        if status.st_uid != os.getuid() or not stat.S_IMODE(status.st_mode) & 0o077:
            return
        os.fchmod(opened, 0o700)
        with os.scandir(opened) as entries:
            if next(entries, None):
                os.fchmod(opened, stat.S_IMODE(status.st_mode))
    except OSError:
        return
    finally:
        os.close(opened)


def check_private(path: Path) -> None:
    """Check that a folder or file can be opened by this user only.

    Raises:
        EndpointError: the path is missing, belongs to another user, or its mode lets others in.
    """
    try:
        status = path.stat()
    except OSError as exc:
        raise EndpointError(
            N_("{path} cannot be looked at: {reason}"), "unreadable", path=path, reason=exc.strerror
        ) from exc
    refuse_shared(path, status)


def refuse_shared(path: Path, status: os.stat_result) -> None:
    """Check from its `status` that an open file belongs to this user only; errors as of check_private."""
    if sys.platform == "win32":
        return  # the profile folder's access list keeps others out
    if status.st_uid != os.getuid():
        raise _other_owner(path, status)
    if mode := stat.S_IMODE(status.st_mode) & 0o077:
        raise EndpointError(
            N_("{path} is open to other users (mode {mode}): run chmod go= {path}"),
            "open-to-others",
            path=path,
            mode=f"{mode:03o}",
        )


def check_trusted(folder: Path) -> None:
    """Check that nobody else can put anything into this user's folder, nor another folder in its place.

    Raises:
        EndpointError: as of check_private, it is no folder, or other users may rename or replace one on the way to it.
    """
    if folder.exists() and not folder.is_dir():
        raise _no_folder(folder, os.strerror(errno.EEXIST))
    check_private(folder)
    if sys.platform != "win32":
        for parent in folder.resolve().parents:
            _refuse_replaceable(parent, parent.stat())


def _refuse_replaceable(path: Path, status: os.stat_result) -> None:
    """Refuse a folder whose entries another user may replace."""
    if status.st_uid not in (os.getuid(), _ROOT, _UNMAPPED):
        raise _other_owner(path, status)
    # Of this user's own group, which on many systems has no other member, folders are writable by default.
    writable = stat.S_IWOTH if status.st_gid == os.getgid() else stat.S_IWOTH | stat.S_IWGRP
    if status.st_mode & writable and not status.st_mode & stat.S_ISVTX:  # in a sticky folder only owners may rename
        raise EndpointError(
            N_("other users may replace what is in {path} (mode {mode}): run chmod go-w {path}"),
            "replaceable",
            path=path,
            mode=f"{stat.S_IMODE(status.st_mode):03o}",
        )


def _other_owner(path: Path, status: os.stat_result) -> EndpointError:
    return EndpointError(
        N_("{path} belongs to user {owner}, not to you ({user}): it is not trusted"),
        "other-owner",
        path=path,
        owner=status.st_uid,
        user=os.getuid(),
    )


def write_privately(path: Path, text: str) -> None:
    """Write a whole file, or nothing, that only this user can read.

    Raises:
        OSError: the file cannot be written; an older one of the name stays.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # of mode 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def owner_token() -> str:
    """Return the token by which this user's programs are told of each other's jobs; made at the first call.

    Without a data folder, or one that this program may write to, it is "": that of all who have none.
    """
    path = data_folder() / "client.token"
    with suppress(OSError):
        if not path.exists():
            _write_new(path, secrets.token_hex(32))
    try:
        check_private(path)
        return path.read_text()
    except (OSError, EndpointError):
        return ""


def _write_new(path: Path, text: str) -> None:
    """Write a whole file that only this user can read. Raises: OSError; FileExistsError where it is there."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.link(name, path)
    finally:
        Path(name).unlink()


def default_address() -> str:
    """Return the address of a daemon that was given none. Port 0 means that the connection file tells the real one."""
    return "tcp://127.0.0.1:0" if sys.platform == "win32" else f"ipc://{data_folder() / 'daemon.sock'}"


def parse_endpoint(text: str | None) -> str:
    """Return a checked address: `ipc:///path/of/socket`, `tcp://host:port`, or the default for None.

    Raises:
        EndpointError: the text is neither, or the socket's path is longer than the system allows.
    """
    address = default_address() if text is None else text
    if not isinstance(address, str):
        raise _no_endpoint(address)
    if address.startswith("ipc://"):
        path = address.removeprefix("ipc://")
        if not Path(path).is_absolute():
            raise EndpointError(
                N_("the endpoint {address} is not an absolute path: write ipc:///folder/name.sock"),
                "no-endpoint",
                address=address,
            )
        check_socket_path(path, f"choose a shorter one with --endpoint, or a shorter folder with {HOME_VARIABLE}")
    else:
        _check_tcp(address)
    return address


def check_socket_path(path: str, advice: str) -> None:
    """Check that the system can hold the path of a Unix socket; `advice` is the end of the error's text.

    Raises:
        EndpointError: the path is longer than MAX_SOCKET_PATH_BYTES.
    """
    if (length := len(os.fsencode(path))) > MAX_SOCKET_PATH_BYTES:
        raise EndpointError(
            N_("the socket path {path} has {count} bytes, and this system allows {limit}: {advice}"),
            "socket-path-too-long",
            path=path,
            count=length,
            limit=MAX_SOCKET_PATH_BYTES,
            advice=advice,
        )


def _check_tcp(address: str) -> None:
    match = _TCP.fullmatch(address)
    if not match or int(match["port"]) > 65535:
        raise _no_endpoint(address)


def _no_endpoint(address: object) -> EndpointError:
    return EndpointError(
        N_("{address!r} is no endpoint: write ipc:///folder/name.sock or tcp://127.0.0.1:5555"),
        "no-endpoint",
        address=address,
    )


def connection_file(address: str) -> Path:
    """Return the file in which the daemon at `address` tells its clients how to reach it; it need not exist."""
    return data_folder() / f"{_stem(address)}.json"


def lock_file(address: str) -> Path:
    """Return the file that the daemon at `address` keeps locked; it need not exist yet."""
    return data_folder() / f"{_stem(address)}.lock"


def log_file(address: str) -> Path:
    """Return the log of a daemon at `address` that a client has started in the background; it need not exist yet."""
    return data_folder() / f"{_stem(address)}.log"


def old_log(log: Path) -> Path:
    """Return the file that holds what a log has held before it became too long."""
    return log.with_suffix(".old.log")


def state_folder(address: str) -> Path:
    """Return the folder in which the daemon at `address` keeps its jobs, unless it is told another."""
    return data_folder() / f"{_stem(address)}.jobs"


def _stem(address: str) -> str:
    if address == default_address():
        return "daemon"
    return f"daemon-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
