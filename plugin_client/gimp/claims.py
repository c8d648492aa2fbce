"""What is written down of a job before it is submitted, so that its result finds its way home without us.

GIMP's own Cancel kills a plug-in at once, and so do a crash and the end of GIMP; the daemon keeps the result. One file
a job, locked by the process that waits for it: the system drops the lock when that process ends, however it ends. A
claim without a lock is a lost one, and whoever finds it takes it over.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from plugin_client.gimp.placing import Area
from plugin_client.gimp.translation import _
from plugin_client.wire.endpoint import data_folder, make_data_folder, write_privately
from plugin_client.wire.errors import EndpointError, TransportError
from plugin_client.wire.locking import lock

FOLDER = "gimp-claims"  # in the data folder
MAX_BYTES = 2**16  # of a claim


@dataclass(frozen=True)
class Home:
    """Where a result belongs: the image, by what lost.py knows it again, and the area in it."""

    key: str  # of the image while it is open
    file: str  # of the image, to find it when it was opened again; "" when it has none
    looks: str  # its size and mode: a result is put into no image that was made another one meanwhile
    area: Area
    selected: bool  # the area is that of the selection


@dataclass(frozen=True)
class Claim:
    job: str
    title: str  # e.g. "0.3 red + 0.7 a cat, seed 7"
    home: Home | None  # None is a new image


class Held:
    """A claim that this process holds, so that no other one takes it for a lost one."""

    def __init__(self, claim: Claim, file: IO[bytes]) -> None:
        self.claim = claim
        self._file = file

    def settle(self, end: object) -> None:
        """Forget it when the job has ended so. After a TransportError it may go on: then others may take it over."""
        if isinstance(end, TransportError):
            self.let_go()
            return
        _claim_file(self.claim.job).unlink(missing_ok=True)
        self.let_go()
        _remove_lock(self.claim.job)

    def let_go(self) -> None:
        """Others may take it over."""
        self._file.close()


def keep(claim: Claim) -> Held:
    """Write a claim down and hold it.

    Raises:
        EndpointError: the data folder is not usable.
    """
    folder = make_data_folder() / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = _lock_file(claim.job).open("ab")
        lock(file)  # first: a claim that is to be seen is a held one
        write_privately(_claim_file(claim.job), json.dumps(asdict(claim)))
    except OSError as exc:
        raise EndpointError(_("{folder} cannot be written: {reason}").format(folder=folder, reason=exc)) from exc
    return Held(claim, file)


def take_lost() -> list[Held]:
    """The claims that no living process holds, from now on held by this one; the oldest first."""
    files = sorted((data_folder() / FOLDER).glob("*.json"), key=_age)
    return [held for file in files if (held := _take(file.stem))]


def _take(job: str) -> Held | None:
    """Take a claim over, if it is a lost one."""
    file = _lock_file(job).open("ab")
    try:
        lock(file)
    except OSError:  # it is held
        file.close()
        return None
    if claim := _read(job):
        return Held(claim, file)
    file.close()
    _remove_lock(job)
    return None


def _read(job: str) -> Claim | None:
    """The claim, if there still is one. A damaged one is removed."""
    path = _claim_file(job)
    try:
        with path.open("rb") as file:
            return _claim(**json.loads(file.read(MAX_BYTES)))
    except FileNotFoundError:
        return None  # whoever held it has settled it just now
    except (OSError, ValueError, TypeError, KeyError):
        path.unlink(missing_ok=True)
        return None


def _claim(job: str, title: str, home: dict[str, Any] | None) -> Claim:
    return Claim(job, title, Home(**{**home, "area": Area(**home["area"])}) if home else None)


def _age(file: Path) -> float:
    with suppress(OSError):
        return file.stat().st_mtime
    return 0.0


def _claim_file(job: str) -> Path:
    return data_folder() / FOLDER / f"{job}.json"


def _lock_file(job: str) -> Path:
    return data_folder() / FOLDER / f"{job}.lock"


def _remove_lock(job: str) -> None:
    with suppress(OSError):  # on Windows: somebody is just looking whether there is a claim
        _lock_file(job).unlink(missing_ok=True)
