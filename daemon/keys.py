"""Keys of the clients of a shared daemon: `kandinsky-daemon keys add NAME`, `remove NAME` and `list`.

The daemon's side is a folder with a lasting key pair of the daemon and the public key of each client. The client's own
secret key is in the file that `add` writes, in the form of a connection file, and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from daemon.errors import DaemonError
from plugin_client.wire import paths
from plugin_client.wire.connection_file import Endpoint, connection_text, new_keys

FOLDER = "keys"  # in the data folder
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OWN = "daemon.keys"  # no client's name
_SUFFIX = ".public"


class ClientKeys:
    """The keys of the clients of this user's daemons, as Z85 text, in a folder that is made for the first."""

    def __init__(self) -> None:
        self._folder = paths.data_folder() / FOLDER
        self._read_at = -1  # when the folder had changed that was read
        self._known: frozenset[str] = frozenset()

    def server(self) -> tuple[str, str]:
        """The lasting (public, secret) keys of the daemon, made at the first call.

        Raises:
            DaemonError: they cannot be kept or read.
            EndpointError: the data folder is not usable.
        """
        own = self._folder / _OWN
        try:
            if not own.exists():
                paths.make_subfolder(FOLDER)
                paths.write_privately(own, json.dumps(new_keys()[0]))
            public, secret = json.loads(own.read_text())
        except (OSError, ValueError) as exc:
            raise DaemonError(f"the daemon's keys in {own} cannot be kept or read: {exc}") from exc
        return public, secret

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob(f"*{_SUFFIX}"))

    def add(self, name: str) -> tuple[str, str]:
        """Make the (public, secret) keys of a client, of which the public one is kept.

        Raises:
            DaemonError: the name is no name or is taken, or the key cannot be kept.
            EndpointError: the data folder is not usable.
        """
        path = self._path(name)
        if path.exists():
            raise DaemonError(f"{name} has a key already: run kandinsky-daemon keys remove {name} first")
        public, secret = new_keys()[1]
        try:
            paths.make_subfolder(FOLDER)
            paths.write_privately(path, public)
        except OSError as exc:
            raise DaemonError(f"the key of {name} cannot be kept in {path}: {exc.strerror}") from exc
        return public, secret

    def remove(self, name: str) -> None:
        """Admit a client no more, also over a connection that it has. Raises: DaemonError: it has no key."""
        try:
            self._path(name).unlink()
        except FileNotFoundError as exc:
            known = ", ".join(self.names()) or "nobody has"
            raise DaemonError(f"{name} has no key here; who has one: {known}") from exc

    def admits(self, public_key: str) -> bool:
        """Whether a client has this key now."""
        changed = self._folder.stat().st_mtime_ns if self._folder.exists() else 0
        if changed != self._read_at:
            self._known = frozenset(self._read())
            self._read_at = changed
        return public_key in self._known

    def _read(self) -> Iterator[str]:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(OSError):  # of a client that is being removed
                yield path.read_text()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise DaemonError(f"{name!r} is no name of a client: use 1 to 64 letters, digits, _ and -")
        return self._folder / f"{name}{_SUFFIX}"


def main(arguments: Sequence[str]) -> None:
    """Add, remove or list clients. Raises: DaemonError, EndpointError."""
    options = _parser().parse_args(arguments)
    paths.make_data_folder()
    keys = ClientKeys()
    if options.action == "list":
        print("\n".join(keys.names()) or "no client has a key")
    elif options.action == "remove":
        keys.remove(options.name)
        print(f"{options.name} is admitted no more")
    else:
        print(f"{_add(keys, options.name, options.address)}: give it to {options.name}, and to nobody else")


def _add(keys: ClientKeys, name: str, address: str) -> Path:
    """Make a client's keys, and write its key file into the current folder; its path."""
    address = paths.parse_endpoint(address)
    path = Path(f"{name}.key").absolute()
    if path.exists():
        raise DaemonError(f"{path} exists already: move it away first")
    server_public, _ = keys.server()
    endpoint = Endpoint(address, 0, server_public, *keys.add(name))
    try:
        paths.write_privately(path, connection_text(endpoint))
    except OSError as exc:
        keys.remove(name)
        raise DaemonError(f"{path} cannot be written: {exc.strerror}") from exc
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kandinsky-daemon keys", description="Says who may use a daemon that listens at a tcp:// endpoint."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    add = actions.add_parser("add", help="make a client's key file, NAME.key, in the current folder")
    add.add_argument("name", metavar="NAME")
    add.add_argument("address", metavar="tcp://HOST:PORT", help="where the client reaches the daemon")
    actions.add_parser("remove", help="revoke a client's key").add_argument("name", metavar="NAME")
    actions.add_parser("list", help="list the clients")
    return parser
