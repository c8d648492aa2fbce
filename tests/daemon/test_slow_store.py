"""A server over a store that is still at work: nobody else waits, and nothing is answered early."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.disk_store import DiskStore
from daemon.jobs import MAX_WAITING
from daemon.store import MemoryStore
from plugin_client.wire.messages import (
    Accepted,
    Cancel,
    JobInfo,
    JobList,
    ListJobs,
    Picture,
    PictureItem,
    Ping,
    Pong,
    Refusal,
    Release,
    Released,
    Result,
    Shutdown,
    Status,
    Submit,
    Watch,
)
from tests.daemon.conftest import RawClient, blend, new_id, wait_until
from tests.daemon.studio import FailingStore, Studio, machine, serving

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture
def studio() -> Studio:
    return Studio(machine("north"))


@pytest.fixture
def client(studio: Studio, store: FailingStore) -> Iterator[RawClient]:
    with serving(studio, store) as client:
        yield client


@contextmanager
def held(store: FailingStore, call: str) -> Iterator[None]:
    """Keep a call of the store from returning meanwhile."""
    store.held[call] = threading.Event()
    try:
        yield
    finally:
        store.held.pop(call).set()


def answers(client: RawClient, *asked: int) -> list[object]:
    """The answers to these requests, whatever their order."""
    found: dict[int, object] = {}
    while not found.keys() >= set(asked):
        request_id, message = client.receive()
        found.setdefault(request_id, message)
    return [found[one] for one in asked]


@pytest.mark.parametrize("call", ["accept", "start", "finish", "outcome", "forget"])
def test_others_are_answered_while_the_store_works(
    client: RawClient, studio: Studio, store: FailingStore, call: str
) -> None:
    with held(store, call):
        job = new_id()
        client.send(Submit(job, blend(seed=1)))
        if call not in ("accept", "start"):
            wait_until(lambda: studio.started, "the job runs")
            studio.finish(job)
        if call == "forget":
            while not isinstance(client.receive()[1], Result):
                pass
            client.send(Release(job))
        assert client.ask(Ping(), Pong)
        assert client.ask(ListJobs(), JobList)
    wait_until(lambda: studio.started, "the job runs")
    if call in ("accept", "start"):
        studio.finish(job)
    assert client.ask(Ping(), Pong)


def test_a_submit_is_answered_when_it_is_kept_and_not_before(client: RawClient, store: FailingStore) -> None:
    with held(store, "accept"):
        asked = client.send(Submit(new_id(), blend()))
        client.ask(Ping(), Pong)
        assert client.hears_nothing(0.1)
    assert isinstance(answers(client, asked)[0], Accepted)


def test_what_is_asked_about_a_job_that_is_being_kept_is_answered_in_its_order(
    client: RawClient, studio: Studio, store: FailingStore
) -> None:
    job, running = new_id(), client.submit(blend())
    wait_until(lambda: studio.started == [running], "a job runs")
    with held(store, "accept"):
        asked = [
            client.send(message)
            for message in (
                Submit(job, blend(seed=1)),
                Status(job),
                Submit(job, blend(seed=1)),
                Submit(job, blend(seed=2)),
                Cancel(job),
                Release(job),
                Status(job),
            )
        ]
        client.ask(Ping(), Pong)
    first, status, again, other, cancelled, released, gone = answers(client, *asked)
    assert (type(first), type(again)) == (Accepted, Accepted)
    assert [info.state for info in (status, cancelled) if isinstance(info, JobInfo)] == ["queued", "cancelled"]
    assert [end.code for end in (other, gone) if isinstance(end, Refusal)] == ["id-in-use", "gone"]
    assert released == Released(job)
    assert studio.started == [running]


def test_a_submit_that_cannot_be_kept_is_refused_and_its_repetition_is_tried_anew(
    client: RawClient, store: FailingStore
) -> None:
    job = new_id()
    with held(store, "accept"):
        store.broken = {"accept"}
        asked = [client.send(message) for message in (Submit(job, blend()), Status(job), Submit(job, blend()))]
        client.ask(Ping(), Pong)
    codes = [end.code for end in answers(client, *asked) if isinstance(end, Refusal)]
    assert codes == ["store-failed", "unknown-job", "store-failed"]
    store.broken = set()
    assert client.submit(blend(), job) == job


def test_a_job_is_cancelled_while_it_is_being_started(client: RawClient, studio: Studio, store: FailingStore) -> None:
    with held(store, "start"):
        job = client.submit(blend())
        asked = client.send(Cancel(job))
        client.ask(Ping(), Pong)
    (info,) = answers(client, asked)
    assert isinstance(info, JobInfo)
    assert info.state == "cancelling"
    assert studio.cancelled == [job]


def test_a_job_whose_machine_goes_while_it_is_being_started_waits_for_the_next(
    client: RawClient, studio: Studio, store: FailingStore
) -> None:
    with held(store, "start"):
        job = client.submit(blend(seed=3))
        client.ask(Ping(), Pong)
        studio.lose("north")
        client.ask(Ping(), Pong)
    assert client.ask(Status(job), JobInfo).state == "queued"
    studio.join(machine("south"))
    wait_until(lambda: studio.started == [job], "it runs")
    studio.finish(job)
    assert isinstance(client.outcome(job), Result)


def test_jobs_that_are_being_kept_have_their_places_in_the_queue(client: RawClient, store: FailingStore) -> None:
    with held(store, "accept"):
        for seed in range(MAX_WAITING):
            client.send(Submit(new_id(), blend(seed=seed)))
        assert client.ask(Submit(new_id(), blend()), Refusal).code == "queue-full"


def test_the_pictures_that_arrive_at_once_are_bounded(
    client: RawClient, store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = PictureItem(Picture(256, 256, 4, bytes(2**18)), 1.0)
    monkeypatch.setattr("daemon.server.MAX_ARRIVING_BYTES", 3 * 2**18)
    with held(store, "accept"):
        job = new_id()
        for _ in range(3):
            client.send(Submit(job, blend(items=(picture,))))
        assert "at once" in client.ask(Submit(new_id(), blend(items=(picture,))), Refusal).message
        assert client.ask(Ping(), Pong)
    client.ask(Watch(job), JobInfo)
    assert client.submit(blend(items=(picture,)))


def test_the_messages_that_wait_for_a_job_are_bounded(
    client: RawClient, store: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.server.MAX_CROWD", 5)
    with held(store, "accept"):
        job = new_id()
        asked = client.send(Submit(job, blend()))
        for _ in range(5):
            client.send(Status(job))
        for message in (Status(job), Submit(job, blend())):
            assert client.ask(message, Refusal).code == "queue-full"
    assert isinstance(answers(client, asked)[0], Accepted)
    assert client.ask(Status(job), JobInfo)


def test_a_daemon_that_stops_keeps_first_what_has_come(studio: Studio, tmp_path: Path) -> None:
    job = new_id()
    with DiskStore(tmp_path / "state") as disk:
        store = FailingStore(disk)
        with serving(studio, store) as client:
            with held(store, "accept"):
                asked = client.send(Submit(job, blend()))
                client.ask(Shutdown(), Pong)
            assert isinstance(answers(client, asked)[0], Accepted)
        assert [pending.record.id for pending in disk.pending()] == [job]
