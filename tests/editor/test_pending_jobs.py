"""Pending jobs, locked by processes that live and found when these have died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plugin_client.editor.geometry import Area
from plugin_client.editor.pending_jobs import FOLDER, Destination, PendingJob, lock_abandoned, write_and_lock
from plugin_client.regions import Growth
from plugin_client.wire.errors import EndpointError, JobFailed, NoAnswer
from plugin_client.wire.paths import HOME_VARIABLE

PENDING = PendingJob(
    "11111111-1111-4111-8111-111111111111",
    "0.5 Füchse, seed 7",
    Destination(
        "a-key",
        "file:///f.xcf",
        "40 x 30, rgb",
        Area(-1, 2, 3, 4),
        mask=bytes(range(12)),
        growing=Growth(left=1),
        drawn_into='{"growing": {}}',
        is_on_top=True,
        above=3,
    ),
)
LOCK = """
import sys
from plugin_client.editor.pending_jobs import PendingJob, write_and_lock
lock = write_and_lock(PendingJob(sys.argv[1], "1 a cat, seed 7", None))
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return tmp_path / FOLDER


def abandoned() -> list[PendingJob]:
    """The abandoned jobs, which are abandoned again afterwards."""
    locks = lock_abandoned()
    for lock in locks:
        lock.release()
    return [lock.pending for lock in locks]


def test_where_nothing_was_ever_written_down_nothing_is_abandoned() -> None:
    assert abandoned() == []


def test_a_locked_job_is_not_abandoned_and_a_released_one_is_found_whole() -> None:
    lock = write_and_lock(PENDING)
    assert abandoned() == []
    lock.release()
    assert abandoned() == [PENDING]


def test_a_job_is_abandoned_when_its_process_is_killed_and_not_before() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, PENDING.job], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        assert abandoned() == []
        process.kill()
    assert abandoned() == [PendingJob(PENDING.job, "1 a cat, seed 7", None)]


def test_only_one_finds_it() -> None:
    write_and_lock(PENDING).release()
    first, second = lock_abandoned(), lock_abandoned()
    assert ([lock.pending for lock in first], second) == ([PENDING], [])
    first[0].settle(None)


def test_a_settled_job_leaves_no_file(folder: Path) -> None:
    lock = write_and_lock(PENDING)
    assert len(list(folder.iterdir())) == 2
    lock.settle(None)
    assert list(folder.iterdir()) == []


def test_a_failed_job_is_forgotten(folder: Path) -> None:
    write_and_lock(PENDING).settle(JobFailed("internal", "it failed"))
    assert list(folder.iterdir()) == []


def test_a_job_that_may_go_on_is_abandoned() -> None:
    write_and_lock(PENDING).settle(NoAnswer("silence"))
    assert abandoned() == [PENDING]


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [('"title"', ""), ('"mask": "eA', '"mask": "eB'), ('"height": 4', '"height": 5'), ('"top"', '"up"')],
)
def test_a_damaged_file_is_removed(folder: Path, whole: str, damaged: str) -> None:
    write_and_lock(PENDING).release()
    file = folder / f"{PENDING.job}.json"
    assert whole in file.read_text()
    file.write_text(file.read_text().replace(whole, damaged))
    assert abandoned() == []
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    folder.write_text("in the way")
    with pytest.raises(EndpointError, match="pending-jobs cannot be written: "):
        write_and_lock(PENDING)
