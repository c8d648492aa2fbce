"""A Store that outlives its process: states and order in SQLite, requests and results in files as the wire has them.

In the folder lie `jobs.sqlite3` and, in `files`, `ID.request`, `ID.result` and `ID.space`, the room that is reserved
for a result. A file is there whole or not at all, and before the row that speaks of it; a file of which no row speaks
is left by a daemon that was killed between the two, and is removed at the next start.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from daemon.errors import StoreError
from daemon.framing import read_frames, write_frames
from daemon.job_kinds import picture_bytes
from daemon.jobs import JobRecord, Outcome, end_state, error_of
from daemon.store import LIMITS, MAX_GONE, EndedJob, Limits, PendingJob, beyond, remember
from plugin_client.wire import codec
from plugin_client.wire.errors import ProtocolError
from plugin_client.wire.messages import ClientMessage, DaemonMessage, Failed, JobRequest, Result, StoreTrouble, Submit
from plugin_client.wire.paths import check_private

SCHEMA = 1  # of the tables below; another one is refused
SPARE_BYTES = 2**20  # let go when the disk is full, so that the end of a job can still be written

_TABLES = """
CREATE TABLE jobs (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, model TEXT NOT NULL, picture_bytes INTEGER NOT NULL,
    result_bytes INTEGER NOT NULL, accepted REAL NOT NULL, digest TEXT NOT NULL, client TEXT NOT NULL,
    owner TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, started REAL,
    state TEXT NOT NULL DEFAULT 'pending', ended_place INTEGER, ended REAL, code TEXT, error TEXT, bytes INTEGER);
CREATE TABLE gone (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, why TEXT NOT NULL);
"""
_RECORD = "id, title, model, picture_bytes, result_bytes, accepted, digest, client, owner"
_NEXT_END = "(SELECT coalesce(max(ended_place), 0) + 1 FROM jobs)"

Statement = tuple[str, Sequence[object]]


class DiskStore:
    """The jobs in a folder, which is made for this user alone. One process at a time may have it open.

    Raises:
        StoreError: the folder cannot be used, or another daemon has it.
        EndpointError: others may enter it.
    """

    outlives_the_daemon = True

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._files = folder / "files"
        with _store_errors(f"jobs cannot be kept in {folder}"):
            self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        check_private(folder)
        with _store_errors(f"the jobs in {folder} cannot be opened"):
            self._database = _open(folder / "jobs.sqlite3")
        self._remove_leftovers()
        self._keep_spare()
        self._gone: dict[str, str] = dict(self._select("id, why FROM gone ORDER BY place"))

    def __enter__(self) -> DiskStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def pending(self) -> tuple[PendingJob, ...]:
        rows = self._select(f"{_RECORD}, attempts, started FROM jobs WHERE state = 'pending' ORDER BY place")
        return tuple(PendingJob(JobRecord(*row[:-2]), *row[-2:]) for row in rows)

    def ended(self) -> tuple[EndedJob, ...]:
        rows = self._select(
            f"{_RECORD}, state, started, ended, error, bytes FROM jobs WHERE state != 'pending' ORDER BY ended_place"
        )
        return tuple(EndedJob(JobRecord(*row[:-5]), *row[-5:]) for row in rows)

    def gone(self, job_id: str) -> str:
        return self._gone.get(job_id, "")

    def accept(self, record: JobRecord, request: JobRequest) -> None:
        try:
            with _store_errors("the request cannot be kept"):
                _reserve(self._space(record.id), record.result_bytes)
                self._write(self._request(record.id), Submit(record.id, request))
                self._change((f"INSERT INTO jobs ({_RECORD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(record)))
        except StoreError:
            _remove(self._request(record.id), self._space(record.id))
            raise

    def request(self, job_id: str) -> JobRequest:
        return cast("Submit", self._read(self._request(job_id), codec.decode_client)).request

    def start(self, job_id: str, now: float) -> None:
        with _store_errors("the start cannot be kept"):
            self._change(("UPDATE jobs SET attempts = attempts + 1, started = ? WHERE id = ?", (now, job_id)))

    def withdraw(self, job_id: str) -> None:
        with _store_errors("the break cannot be kept"):
            self._change(("UPDATE jobs SET attempts = attempts - 1, started = NULL WHERE id = ?", (job_id,)))

    def finish(self, job_id: str, outcome: Outcome, now: float) -> None:
        code = outcome.code if isinstance(outcome, Failed) else ""
        values = (end_state(outcome), now, code, error_of(outcome), picture_bytes(outcome), job_id)
        with _store_errors("the end cannot be kept"):
            if isinstance(outcome, Result):
                self._write_result(job_id, outcome)
            else:
                _remove(self._space(job_id), self._result(job_id))  # which makes room for the row on a full disk
            self._change(
                (
                    f"UPDATE jobs SET state = ?, ended_place = {_NEXT_END}, ended = ?, code = ?, error = ?, bytes = ? "
                    "WHERE id = ?",
                    values,
                )
            )
        _remove(self._request(job_id))

    def outcome(self, job_id: str) -> Outcome:
        for state, code, error in self._select("state, code, error FROM jobs WHERE id = ?", job_id):
            if state != "done":
                return Failed(job_id, code, error)
        return cast("Result", self._read(self._result(job_id), codec.decode_daemon))

    def forget(self, job_id: str, why: str) -> None:
        with _store_errors("it cannot be dropped"):
            self._change(
                ("DELETE FROM jobs WHERE id = ?", (job_id,)),
                ("INSERT OR REPLACE INTO gone (id, why) VALUES (?, ?)", (job_id, why)),
                ("DELETE FROM gone WHERE place <= (SELECT max(place) FROM gone) - ?", (MAX_GONE,)),
            )
        remember(self._gone, job_id, why)
        _remove(self._result(job_id))

    def expire(self, now: float) -> tuple[str, ...]:
        self._keep_spare()
        forgotten = tuple(beyond(self._limits, self.ended(), now))
        for job_id, why in forgotten:
            self.forget(job_id, why)
        return tuple(job_id for job_id, _ in forgotten)

    def trouble(self) -> StoreTrouble | None:
        if not os.access(self._files, os.W_OK):
            return "disk-read-only"
        return None if self._spare.exists() else "disk-full"

    # --- the database ------------------------------------------------------------------------------------------------

    def _select(self, query: str, *values: object) -> list[Any]:
        with _store_errors("the jobs cannot be read"):
            return self._database.execute(f"SELECT {query}", values).fetchall()

    def _change(self, *statements: Statement) -> None:
        """Make all changes, durably, or none. A full disk gives up its spare. Raises: sqlite3.Error."""
        try:
            self._commit(statements)
        except sqlite3.OperationalError:
            if not self._spare.exists():
                raise
            _remove(self._spare)
            self._commit(statements)

    def _commit(self, statements: Sequence[Statement]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in statements:
                self._database.execute(statement, values)
            self._database.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # a failed commit may have rolled back by itself
                self._database.execute("ROLLBACK")
            raise

    # --- the files ---------------------------------------------------------------------------------------------------

    @property
    def _spare(self) -> Path:
        return self._files / "spare"

    def _request(self, job_id: str) -> Path:
        return self._files / f"{job_id}.request"

    def _result(self, job_id: str) -> Path:
        return self._files / f"{job_id}.result"

    def _space(self, job_id: str) -> Path:
        return self._files / f"{job_id}.space"

    def _write_result(self, job_id: str, result: Result) -> None:
        """Write a result over the room that is reserved for it. Raises: OSError."""
        self._write(self._result(job_id), result, draft=self._space(job_id))

    def _write(self, path: Path, message: ClientMessage | DaemonMessage, draft: Path | None = None) -> None:
        """Write a whole file, durably, or none. Raises: OSError, ProtocolError."""
        draft = draft or path.with_suffix(".draft")
        frames = codec.encode(message, 0)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            write_frames(file, frames)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 - one call for all that a test kills at
        self._sync_folder()

    def _sync_folder(self) -> None:
        if os.name == "nt":
            return  # a folder cannot be opened there; NTFS keeps its own journal of names
        folder = os.open(self._files, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self, path: Path, decode: Any) -> ClientMessage | DaemonMessage:
        with _store_errors("what was kept cannot be read"), path.open("rb") as file:
            message: ClientMessage | DaemonMessage = decode(read_frames(file))[1]
            return message

    def _keep_spare(self) -> None:
        if not self._spare.exists():
            with suppress(OSError):  # the disk is full, and it is tried again
                _reserve(self._spare, SPARE_BYTES)

    def _remove_leftovers(self) -> None:
        """Remove files of which no row speaks, and reserve again what is missing. Raises: StoreError."""
        pending, ended = self.pending(), self.ended()
        known = {self._spare} | {self._result(job.record.id) for job in ended if job.state == "done"}
        for job in pending:
            known |= {self._request(job.record.id), self._space(job.record.id)}
        with _store_errors("the jobs of an earlier daemon cannot be read"):
            _remove(*(path for path in self._files.iterdir() if path not in known))
        for job in pending:
            with suppress(OSError):  # its end may still find room
                _reserve(self._space(job.record.id), job.record.result_bytes)


def _open(path: Path) -> sqlite3.Connection:
    """Open the database, and make its tables in a new one. Raises: sqlite3.Error, StoreError."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's own files take over the mode of this one
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        database.execute(f"PRAGMA {pragma}").close()
    ((version,),) = database.execute("PRAGMA user_version").fetchall()
    if version == 0:
        database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")
    elif version != SCHEMA:
        database.close()
        raise StoreError(f"the jobs in {path.parent} were kept by another version of the daemon: give another --state")
    return database


def _reserve(path: Path, size: int) -> None:
    """Make a file of `size` bytes that the disk really has. Raises: OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, max(1, size))
        else:
            os.truncate(descriptor, size)  # NTFS allocates it
    except OSError:
        _remove(path)
        raise
    finally:
        os.close(descriptor)


def _remove(*paths: Path) -> None:
    """Remove files, if they are there; one that cannot be removed goes at the next start."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


_READ_ONLY = "the disk is read-only"
_REASONS = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk is full", errno.EROFS: _READ_ONLY}


def _reason(error: sqlite3.OperationalError) -> str:
    """Why the database does not do what was asked, in the words that are used of files."""
    if "locked" in str(error):
        return "another daemon keeps its jobs there"
    return _READ_ONLY if "readonly" in str(error) else str(error)


@contextmanager
def _store_errors(what: str) -> Iterator[None]:
    """Turn the errors of the disk into a StoreError."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise StoreError(f"{what}: {_reason(exc)}") from exc
    except sqlite3.DatabaseError as exc:
        raise StoreError(f"{what}: {exc}") from exc
    except OSError as exc:
        raise StoreError(f"{what}: {_REASONS.get(exc.errno or 0) or exc.strerror or str(exc)}") from exc
    except (EOFError, ProtocolError) as exc:
        raise StoreError(f"{what}: {exc or 'the file is not whole'}") from exc
