"""Locks on open files, and the lock of a daemon. The system drops a lock when its process ends, however that ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from plugin_client.wire.errors import EndpointError
from plugin_client.wire.marking import N_
from plugin_client.wire.paths import check_private, lock_file, make_data_folder

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: IO[bytes]) -> None:
        """Lock an open file without waiting; closing it gives the lock back.

        Raises:
            OSError: another process holds the lock.
        """
        file.seek(2**20)  # a locked byte cannot be read by others: keep it away from what the file holds
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)

else:
    import fcntl

    def try_lock(file: IO[bytes]) -> None:
        """Lock an open file without waiting; closing it gives the lock back.

        Raises:
            OSError: another process holds the lock.
        """
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class DaemonLock:
    """The lock of the daemon at an address: taken before it binds, and held for as long as it lives.

    libzmq lets a second process take over an ipc path without a word, so the socket itself is no lock. The system
    drops the lock when the process ends, however it ends. The file stays: removing it would let two daemons each hold
    a lock on a file of the same name.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._file: IO[bytes] | None = None

    def __enter__(self) -> DaemonLock:
        """Take the lock.

        Raises:
            EndpointError: another daemon holds the lock (the text has its process id), the lock file cannot be opened
                or written, or the data folder or the socket's folder is not private.
        """
        make_data_folder()
        path = lock_file(self.address)
        if self.address.startswith("ipc://"):
            check_private(Path(self.address.removeprefix("ipc://")).parent)
        try:
            file = path.open("a+b")
        except OSError as exc:
            raise EndpointError(
                N_("the lock file {path} cannot be opened: {reason}"), "unreadable", path=path, reason=exc.strerror
            ) from exc
        try:
            try_lock(file)
        except OSError as exc:
            holder = _read_pid(file)
            file.close()
            raise EndpointError(
                N_("a daemon already runs at {address} (process {pid})"),
                "already-running",
                address=self.address,
                pid=holder,
            ) from exc
        self._file = file
        try:
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
        except OSError as exc:
            self._close()
            raise EndpointError(
                N_("the lock file {path} cannot be written: {reason}"), "unwritable", path=path, reason=exc.strerror
            ) from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file:
            with suppress(OSError):  # of what a full disk did not take
                file.close()


def _read_pid(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(20).decode("ascii", "replace") or "unknown"
