"""Jobs that are written down before they are submitted, so that their results can be fetched after a crash.

GIMP's own Cancel kills a plug-in at once, and so do a crash and the end of the editor; the daemon keeps the result.
There is one file a job, locked by the process that waits for it: the system drops the lock when that process ends,
however it ends. A job without a lock was abandoned, and the process that finds it takes it over.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from plugin_client.editor.geometry import Area
from plugin_client.packing import pack, unpack
from plugin_client.regions import NO_GROWTH, Growth
from plugin_client.wire.errors import EndpointError, TransportError
from plugin_client.wire.lock import try_lock
from plugin_client.wire.marking import N_
from plugin_client.wire.paths import data_folder, make_subfolder, write_privately

FOLDER = "pending-jobs"  # in the data folder
MAX_BYTES = 2**27  # of a job's file, with a mask of a large image that hardly compresses


@dataclass(frozen=True)
class Destination:
    """The open image that a result belongs to, by what the editor recognises it with, and where it goes in it."""

    key: str  # of the image while it is open
    file: str  # of the image, to recognise it when it was opened again; "" when it has none
    form: str  # size and mode, e.g. "40 x 30, rgb": a result is put into no image that has another form by now
    area: Area
    mask: bytes | None = field(default=None, repr=False)  # of the area, a byte for each pixel; None masks nothing
    growing: Growth = NO_GROWTH  # of the image, once the result is in it
    is_on_top: bool = False  # above all layers
    above: int = 0  # by its number in the file, the layer that it goes above; 0 is the selected one
    drawn_into: str = field(default="", repr=False)  # what the result's layers keep of that


@dataclass(frozen=True)
class PendingJob:
    """A submitted job whose result has not yet been put into its image."""

    job: str  # its id
    title: str  # e.g. "0.3 red + 0.7 a cat, seed 7"
    destination: Destination | None  # None is a new image


class PendingJobLock:
    """A pending job that this process waits for, so that no other one takes it over.

    Without a `file` it was not written down: its result cannot be fetched after a crash.
    """

    def __init__(self, pending: PendingJob, file: IO[bytes] | None) -> None:
        self.pending = pending
        self._file = file

    def settle(self, end: object) -> None:
        """Remove the job's file, now that the job has ended with `end`, a result or an error.

        After a TransportError the job may go on: the file stays, and any process may take the job over.
        """
        if isinstance(end, TransportError) or self._file is None:
            self.release()
            return
        _job_file(self.pending.job).unlink(missing_ok=True)
        self.release()
        _remove_lock(self.pending.job)

    def release(self) -> None:
        """Let any process take the job over."""
        if self._file is not None:
            self._file.close()


def write_and_lock(pending: PendingJob) -> PendingJobLock:
    """Write a job down and lock it.

    Raises:
        EndpointError: the data folder is not usable.
    """
    try:
        make_subfolder(FOLDER)
        file = _lock_file(pending.job).open("ab")
        try_lock(file)  # first: a job's file that can be seen is a locked one
        write_privately(_job_file(pending.job), _to_json(pending))
    except OSError as exc:
        raise EndpointError(
            N_("{folder} cannot be written: {reason}"), folder=data_folder() / FOLDER, reason=exc.strerror or exc
        ) from exc
    return PendingJobLock(pending, file)


def lock_abandoned() -> list[PendingJobLock]:
    """Lock every pending job that no living process waits for; the oldest first."""
    files = sorted((data_folder() / FOLDER).glob("*.json"), key=_age)
    return [taken for file in files if (taken := _take_over(file.stem))]


def _take_over(job: str) -> PendingJobLock | None:
    """Lock a job, if it is an abandoned one."""
    try:
        file = _lock_file(job).open("ab")
    except OSError:  # the disk is full, or not to be written: another time
        return None
    try:
        try_lock(file)
    except OSError:  # a living process holds the lock
        file.close()
        return None
    if pending := _read(job):
        return PendingJobLock(pending, file)
    file.close()
    _remove_lock(job)
    return None


def _read(job: str) -> PendingJob | None:
    """Read a job's file, if it is still there. A damaged one is removed."""
    path = _job_file(job)
    try:
        with path.open("rb") as file:
            return _pending_job(**json.loads(file.read(MAX_BYTES)))
    except FileNotFoundError:
        return None  # it was settled just now
    except (OSError, ValueError, TypeError, KeyError):
        path.unlink(missing_ok=True)
        return None


def _pending_job(job: str, title: str, destination: dict[str, Any] | None) -> PendingJob:
    if destination is None:
        return PendingJob(job, title, None)
    return PendingJob(job, title, _destination(**destination))


def _to_json(pending: PendingJob) -> str:
    found = asdict(pending)
    if pending.destination and pending.destination.mask is not None:
        found["destination"]["mask"] = pack(pending.destination.mask)
    return json.dumps(found)


def _destination(area: dict[str, Any], mask: str | None, growing: dict[str, Any], **others: Any) -> Destination:
    """Return what _to_json wrote. Raises: ValueError or TypeError: it is something else."""
    covered = Area(**area)
    unpacked = None if mask is None else unpack(mask, covered.width * covered.height)
    return Destination(area=covered, mask=unpacked, growing=Growth(**growing), **others)


def _age(file: Path) -> float:
    with suppress(OSError):
        return file.stat().st_mtime
    return 0.0


def _job_file(job: str) -> Path:
    return data_folder() / FOLDER / f"{job}.json"


def _lock_file(job: str) -> Path:
    return data_folder() / FOLDER / f"{job}.lock"


def _remove_lock(job: str) -> None:
    with suppress(OSError):  # on Windows: another process has it open at this moment
        _lock_file(job).unlink(missing_ok=True)
