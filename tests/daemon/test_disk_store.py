"""The store on a disk: what the next daemon finds, and what it makes of a full or broken disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.disk_store import DiskStore
from daemon.errors import StoreError
from daemon.store import RELEASED, Limits
from plugin_client.wire.errors import EndpointError
from plugin_client.wire.messages import Failed, Picture, PictureItem, Result
from tests.daemon.conftest import blend, job_record, new_id
from tests.refusals import refused

REQUEST = blend(items=(PictureItem(Picture(64, 64, 3, bytes(range(256)) * 48), 1.0, label="łäyer"),), seed=3)


def result(job: str, side: int = 8) -> Result:
    return Result(job, (Picture(side, side, 3, os.urandom(3 * side * side)),), {"seed": 1}, ("a warning",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(folder: Path) -> Iterator[DiskStore]:
    with DiskStore(folder) as store:
        yield store


def kept_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "files").iterdir()} - {"spare"}


def test_the_next_daemon_finds_all(folder: Path) -> None:
    ended, failed, gone, waiting = (new_id() for _ in range(4))
    end = result(ended)
    with DiskStore(folder) as store:
        for job in (ended, failed, gone, waiting):
            store.accept(job_record(job, client=f"of {job}", title="ein Bär", digest="d2", owner="me"), REQUEST)
        store.start(waiting, now=3)
        store.finish(ended, end, now=5)
        store.finish(failed, Failed(failed, "internal", "a mistake"), now=4)  # the clock was set back
        store.finish(gone, result(gone), now=6)
        store.forget(gone, RELEASED)
        told = store.pending(), store.ended()
    with DiskStore(folder) as store:
        assert (store.pending(), store.ended()) == told
        assert [job.record.id for job in store.ended()] == [ended, failed]
        assert store.pending()[0].attempts == 1
        assert store.pending()[0].record.title == "ein Bär"
        assert store.request(waiting) == REQUEST
        assert store.outcome(ended) == end
        assert store.outcome(failed) == Failed(failed, "internal", "a mistake")
        assert store.gone(gone) == RELEASED


def test_only_its_owner_can_read_it(store: DiskStore, folder: Path) -> None:
    job, waiting = new_id(), new_id()
    store.accept(job_record(job), REQUEST)
    store.accept(job_record(waiting, result_bytes=10), REQUEST)
    store.finish(job, result(job), now=0)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert modes.pop("files") == stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(modes) > 5
    assert set(modes.values()) == {0o600}


def test_files_go_with_what_they_belong_to(store: DiskStore, folder: Path) -> None:
    done, failed = new_id(), new_id()
    for job in (done, failed):
        store.accept(job_record(job, result_bytes=100_000), REQUEST)
    assert kept_files(folder) == {f"{job}.{kind}" for job in (done, failed) for kind in ("request", "space")}
    store.finish(done, result(done), now=0)
    store.finish(failed, Failed(failed, "internal", ""), now=0)
    assert kept_files(folder) == {f"{done}.result"}
    store.forget(done, RELEASED)
    assert kept_files(folder) == set()


def test_what_was_left_by_a_kill_is_removed_and_what_is_missing_reserved(folder: Path) -> None:
    waiting = new_id()
    with DiskStore(folder) as store:
        store.accept(job_record(waiting, result_bytes=5000), REQUEST)
    for stray in (f"{new_id()}.request", f"{new_id()}.result", f"{waiting}.draft", f"{waiting}.result"):
        (folder / "files" / stray).write_bytes(b"half")
    (folder / "files" / f"{waiting}.space").unlink()
    with DiskStore(folder):
        assert kept_files(folder) == {f"{waiting}.request", f"{waiting}.space"}
    assert (folder / "files" / f"{waiting}.space").stat().st_size == 5000


def test_a_second_daemon_is_refused(store: DiskStore, folder: Path) -> None:
    with pytest.raises(StoreError, match="another daemon"):
        DiskStore(folder)
    store.accept(job_record(new_id()), REQUEST)


def test_a_folder_that_others_may_have_prepared_is_closed_to_them(folder: Path) -> None:
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with DiskStore(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("there", ["a file", "no database", "another version"])
def test_a_folder_that_cannot_be_used_is_named(folder: Path, there: str) -> None:
    if there == "a file":
        folder.write_text("mine")
    elif there == "no database":
        folder.mkdir()
        (folder / "jobs.sqlite3").write_text("no database " * 100)
    else:
        with DiskStore(folder) as store:
            store._database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError) as error:
        DiskStore(folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("harm", ["cut", "missing", "garbage"])
def test_a_file_that_was_harmed_is_a_named_error_and_no_picture(store: DiskStore, folder: Path, harm: str) -> None:
    waiting, done = new_id(), new_id()
    for job in (waiting, done):
        store.accept(job_record(job), REQUEST)
    store.finish(done, result(done), now=0)
    for path in (folder / "files" / f"{waiting}.request", folder / "files" / f"{done}.result"):
        whole = path.read_bytes()
        path.unlink()
        if harm != "missing":
            path.write_bytes(whole[:-7] if harm == "cut" else whole[:24] + b"\xc1" * (len(whole) - 24))
    with pytest.raises(StoreError, match="cannot be read"):
        store.request(waiting)
    with pytest.raises(StoreError, match="cannot be read"):
        store.outcome(done)


def test_a_request_for_whose_result_there_is_no_room_is_refused_and_leaves_nothing(
    store: DiskStore, folder: Path
) -> None:
    with pytest.raises(StoreError, match=r"the disk is full|File too large"):
        store.accept(job_record(new_id(), result_bytes=2**60), REQUEST)
    assert (store.pending(), kept_files(folder)) == ((), set())


def test_an_end_that_fails_to_be_written_leaves_the_job_as_it_was(
    store: DiskStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new_id()
    store.accept(job_record(job), REQUEST)

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="the disk is full"):
            store.finish(job, result(job), now=0)
    assert [waiting.record.id for waiting in store.pending()] == [job]
    assert store.request(job) == REQUEST
    end = result(job)
    store.finish(job, end, now=0)
    assert store.outcome(job) == end
    assert kept_files(folder) == {f"{job}.result"}


def test_limits_hold_over_a_restart(folder: Path) -> None:
    jobs = [new_id() for _ in range(4)]
    with DiskStore(folder) as store:
        for job in jobs:
            store.accept(job_record(job), REQUEST)
            store.finish(job, result(job), now=0)
    with DiskStore(folder, Limits(results=2)) as store:
        assert set(store.expire(now=1)) == {*jobs[:2]}
        assert kept_files(folder) == {f"{job}.result" for job in jobs[2:]}


def test_a_folder_of_another_user_is_not_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with refused(EndpointError, "other-owner"):
        DiskStore(folder)
