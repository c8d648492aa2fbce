"""A running daemon as its clients see it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgpack
import pytest

from daemon.jobs import MAX_WAITING
from daemon.watchers import MAX_WATCHES
from plugin_client.wire.limits import MAX_MESSAGE_BYTES, MAX_PICTURE_BYTES
from plugin_client.wire.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Blend,
    Cancel,
    EmbedsItem,
    Failed,
    JobInfo,
    JobList,
    ListJobs,
    ListModels,
    ModelInfo,
    ModelList,
    Picture,
    PictureItem,
    Ping,
    Pong,
    Progress,
    Refusal,
    Release,
    Released,
    Result,
    Shutdown,
    Status,
    Submit,
    Watch,
)
from tests.daemon.conftest import Daemons, RawClient, blend, new_id, wait_until
from tests.daemon.fake_engine import LONG


@pytest.fixture
def other(shared_daemons: Daemons) -> Iterator[RawClient]:
    """A second client of the same daemon."""
    with shared_daemons.client() as client:
        yield client


def watched_outcome(client: RawClient, job: str) -> Result | Failed:
    client.ask(Watch(job), JobInfo)
    return client.outcome(job)


def end(client: RawClient, *jobs: str) -> None:
    """Cancel jobs and wait until all are over."""
    for job in reversed(jobs):
        client.ask(Cancel(job), JobInfo)
    for job in jobs:
        wait_until(lambda job=job: client.ask(Status(job), JobInfo).state == "cancelled", f"{job} is cancelled")


# --- a job -------------------------------------------------------------------------------------------------------


def test_a_job_gives_its_pictures_and_recipe(client: RawClient) -> None:
    result = client.run(blend("quick quick", seed=7, width=32, count=2))
    assert isinstance(result, Result)
    assert result.pictures == (Picture(32, 16, 3, bytes([7]) * (3 * 32 * 16)),) * 2
    assert result.recipe == {"seed": 7, "steps": 2}


def test_messages_of_a_job_come_in_order_under_the_id_of_its_submit(client: RawClient) -> None:
    asked = client.send(Submit(new_id(), blend("slow slow slow")))
    seen = []
    while not seen or not isinstance(seen[-1], Result):
        request_id, message = client.receive()
        assert request_id == asked
        seen.append(message)
    assert seen[0] == Accepted(seen[0].job, 0)
    assert [message.step for message in seen[1:-1]] == [0, 1, 2]


def test_a_picture_item_reaches_the_engine(client: RawClient) -> None:
    picture = Picture(1024, 1024, 4, bytes(4 * 1024 * 1024))
    assert isinstance(client.run(blend(items=(PictureItem(picture, 0.5, label="layer"),))), Result)


def test_jobs_run_in_the_order_of_arrival(client: RawClient) -> None:
    jobs = [client.submit(blend("slow")) for _ in range(3)]
    assert list(client.outcomes(*jobs)) == jobs


def test_progress_is_thinned_out_but_its_end_is_not(client: RawClient) -> None:
    began = time.monotonic()
    job = client.submit(blend("quick " * 100))
    progress = []
    while isinstance(message := client.receive()[1], Progress):
        progress.append(message.step)
    assert message.job == job
    assert isinstance(message, Result)
    assert 5 < len(progress) <= 20 * (time.monotonic() - began) + 1
    assert progress == sorted(progress)


def test_the_newest_of_a_burst_of_progress_arrives_before_the_next_step(client: RawClient) -> None:
    job = client.submit(blend("flash flash flash flash long"))
    began = time.monotonic()
    while client.wait_for_progress(job).step < 4:
        pass
    assert time.monotonic() - began < LONG / 2
    client.outcome(job)


@pytest.mark.parametrize(
    ("prompt", "code", "message"),
    [
        ("quick refuse", "bad-request", "the prompt is not to my taste"),
        ("greedy", "out-of-memory", "not enough memory: cannot allocate 8 GB"),
        ("stumble", "internal", "ZeroDivisionError inside the daemon: its log has the details"),
    ],
)
def test_a_failed_job_tells_why_and_the_next_one_runs(client: RawClient, prompt: str, code: str, message: str) -> None:
    failed = client.run(blend(prompt))
    assert isinstance(failed, Failed)
    assert (failed.code, failed.message) == (code, message)
    info = client.ask(Status(failed.job), JobInfo)
    assert (info.state, info.error) == ("failed", message)
    assert isinstance(client.run(blend()), Result)


# --- submit, watch, release --------------------------------------------------------------------------------------


def test_a_repeated_submit_does_the_job_once_and_watches_it(client: RawClient, other: RawClient) -> None:
    job = client.submit(blend("slow slow", seed=3))
    other.submit(blend("slow slow", seed=3), job)
    assert client.outcome(job) == other.outcome(job)
    again = other.send(Submit(job, blend("slow slow", seed=3)))
    assert other.receive() == (again, Accepted(job, 0))
    assert isinstance(other.receive()[1], Result)


def picture_item(*pixels: int) -> PictureItem:
    return PictureItem(Picture(len(pixels), 1, 3, bytes(pixels) * 3), 1.0)


@pytest.mark.parametrize(
    "other",
    [
        blend(items=(picture_item(1, 2), picture_item(3)), seed=2),
        blend(items=(picture_item(1, 9), picture_item(3)), seed=1),
        blend(items=(picture_item(1, 2), EmbedsItem(bytes(8), 1.0)), seed=1),
    ],
)
def test_another_request_under_the_id_of_a_job_that_has_not_ended_is_refused(client: RawClient, other: Blend) -> None:
    first = blend(items=(picture_item(1, 2), picture_item(3)), seed=1)
    running = client.submit(blend("slow " * 100))
    job = client.submit(first)
    refusal = client.ask(Submit(job, other), Refusal)
    assert refusal.code == "id-in-use"
    assert client.submit(first, job) == job
    end(client, running, job)


def test_another_request_under_the_id_of_an_ended_job_is_refused_and_never_gets_its_picture(client: RawClient) -> None:
    done = client.run(blend("quick", seed=1))
    assert client.ask(Submit(done.job, blend("quick", seed=2)), Refusal).code == "id-in-use"
    client.submit(blend("quick", seed=1), done.job)
    assert client.outcome(done.job) == done


def test_all_watchers_are_told_and_a_late_one_at_once(client: RawClient, other: RawClient) -> None:
    job = client.submit(blend("slow slow slow"))
    first, second = other.send(Watch(job)), other.send(Watch(job))
    told = {first: [], second: []}
    while not all(any(isinstance(message, Result) for message in heard) for heard in told.values()):
        request_id, message = other.receive()
        told[request_id].append(message)
    for heard in told.values():
        assert isinstance(heard[0], JobInfo)
        assert any(isinstance(message, Progress) for message in heard)
    late = other.send(Watch(job))
    request_id, info = other.receive()
    assert isinstance(info, JobInfo)
    assert (request_id, info.state) == (late, "done")
    assert isinstance(other.receive(seconds=0.5)[1], Result)


def test_watches_of_a_job_are_limited_and_the_newest_count(client: RawClient, other: RawClient) -> None:
    running, queued = client.submit(blend("slow " * 100)), client.submit(blend("quick"))
    asked = []
    for _ in range(MAX_WATCHES + 10):
        asked.append(other.send(Watch(queued)))
        assert other.receive()[0] == asked[-1]
    end(client, running, queued)
    assert [other.receive()[0] for _ in range(MAX_WATCHES)] == asked[10:]
    assert other.hears_nothing(0.1)


def test_a_result_is_told_to_every_watcher_until_it_is_released(client: RawClient, other: RawClient) -> None:
    job = client.submit(blend("slow", seed=9))
    assert client.ask(Release(job), Refusal).code == "not-ready"
    result = client.outcome(job)
    for _ in range(2):
        assert watched_outcome(other, job) == result
    assert other.ask(Release(job), Released) == Released(job)
    for message in (Status(job), Watch(job), Cancel(job), Release(job)):
        refusal = client.ask(message, Refusal)
        assert refusal.code == "gone"
        assert job in refusal.message


def test_the_reason_of_a_failure_is_kept_too(client: RawClient, other: RawClient) -> None:
    failed = client.run(blend("refuse"))
    assert watched_outcome(other, failed.job) == failed


def test_a_client_that_vanished_costs_nothing_and_its_result_waits(client: RawClient, shared_daemons: Daemons) -> None:
    with shared_daemons.client() as hasty:
        job = hasty.submit(blend("slow slow", seed=5))
    wait_until(lambda: client.ask(Status(job), JobInfo).state == "done", "the job is done")
    assert watched_outcome(client, job).pictures[0].pixels[0] == 5


# --- status, list, models, ping ----------------------------------------------------------------------------------


def test_status_and_list_follow_a_job(client: RawClient) -> None:
    running, queued = client.submit(blend("slow slow slow slow", seed=42)), client.submit(blend("quick"))
    client.wait_for_progress(running)
    info = client.ask(Status(running), JobInfo)
    assert (info.state, info.stage, info.steps) == ("running", "denoising", 4)
    assert info.title == "1 slow slow slow slow, seed 42"
    waiting = client.ask(Status(queued), JobInfo)
    assert (waiting.state, waiting.ahead, waiting.remaining) == ("queued", 1, -1)
    assert [job.job for job in client.ask(ListJobs(), JobList).jobs][-2:] == [running, queued]
    pong = client.ask(Ping(), Pong)
    assert (pong.running, pong.waiting) == (1, 1)
    client.outcome(queued)
    assert client.ask(Status(queued), JobInfo).state == "done"


def test_ping_tells_what_computes(client: RawClient) -> None:
    client.run(blend())
    pong = client.ask(Ping(), Pong)
    assert (pong.device, pong.precision, pong.stopping) == ("auto", "auto", False)
    assert pong.memory > 2**20
    assert pong.uptime > 0


def test_models_are_listed_and_others_refused(client: RawClient) -> None:
    client.run(blend(model="embedded"))
    assert client.ask(ListModels(), ModelList) == ModelList(
        (ModelInfo("embedded", "fake embedded", "f00d", loaded=True),)
    )
    refusal = client.ask(Submit(new_id(), blend(model="dall-e")), Refusal)
    assert refusal.code == "unknown-model"
    assert "'dall-e'" in refusal.message


def test_pings_are_answered_while_a_job_burns_the_processor(client: RawClient, other: RawClient) -> None:
    job = client.submit(blend("burn " * 15))
    client.wait_for_progress(job)
    seconds = []
    while other.ask(Status(job), JobInfo).state == "running":
        began = time.perf_counter()
        other.ask(Ping(), Pong)
        seconds.append(time.perf_counter() - began)
    assert len(seconds) > 50  # in 1.5 s, each after a status
    assert max(seconds) < 1


def test_thousands_of_status_calls_are_all_answered(client: RawClient) -> None:
    job = client.submit(blend("slow"))
    client.outcome(job)
    for _ in range(30):  # more than a thousand answers that nobody reads would be dropped
        asked = [client.send(Status(job)) for _ in range(100)]
        assert [client.receive()[0] for _ in asked] == asked


# --- cancel ------------------------------------------------------------------------------------------------------


def test_a_running_job_is_cancelled_within_a_step(client: RawClient) -> None:
    job = client.submit(blend("slow " * 100))
    client.wait_for_progress(job)
    began = time.monotonic()
    assert client.ask(Cancel(job), JobInfo).state in ("cancelling", "cancelled")
    outcome = client.outcome(job)
    assert time.monotonic() - began < 2  # of the 10 s that the job takes
    assert outcome == Failed(job, "cancelled", "cancelled while it ran")
    assert client.ask(Status(job), JobInfo).state == "cancelled"
    assert isinstance(client.run(blend()), Result)


def test_a_queued_job_is_cancelled_at_once(client: RawClient, other: RawClient) -> None:
    running, queued = client.submit(blend("slow " * 100)), client.submit(blend("quick"))
    other.ask(Watch(queued), JobInfo)
    assert client.ask(Cancel(queued), JobInfo).state == "cancelled"
    assert other.outcome(queued) == Failed(queued, "cancelled", "cancelled before it began")
    end(client, running)


def test_cancelling_twice_or_too_late_is_harmless(client: RawClient) -> None:
    job = client.submit(blend("slow slow"))
    client.wait_for_progress(job)
    client.ask(Cancel(job), JobInfo)
    client.ask(Cancel(job), JobInfo)
    client.outcome(job)
    assert client.ask(Cancel(job), JobInfo).state == "cancelled"
    done = client.run(blend())
    assert client.ask(Cancel(done.job), JobInfo).state == "done"
    assert isinstance(client.run(blend()), Result)


# --- bad input ---------------------------------------------------------------------------------------------------


def packed(**header: object) -> bytes:
    return msgpack.packb({"v": PROTOCOL_VERSION, "kind": "ping", "id": 7, "body": {}} | header)


@pytest.mark.parametrize(
    ("frames", "request_id", "code"),
    [
        ([b""], 0, "bad-message"),
        ([b"\xc1garbage"], 0, "bad-message"),
        ([b"\xff" * 1000, b"pixels"], 0, "bad-message"),
        ([packed(v=99)], 7, "bad-version"),
        ([packed(kind="format-disk")], 7, "bad-message"),
        ([packed(kind="pong")], 7, "bad-message"),
        ([packed(kind="status", body={"job": "../../etc/passwd"})], 7, "bad-message"),
        ([packed(body={"extra": 1})], 7, "bad-message"),
        ([packed(), b"a frame of nobody"], 7, "bad-message"),
        ([bytes(2**21)], 0, "bad-message"),
    ],
)
def test_a_message_out_of_the_protocol_is_refused_under_its_id(
    client: RawClient, frames: list[bytes], request_id: int, code: str
) -> None:
    client.socket.send_multipart(frames)
    answered, refusal = client.receive()
    assert isinstance(refusal, Refusal)
    assert (answered, refusal.code) == (request_id, code)
    assert refusal.message
    assert client.ask(Ping(), Pong)


def repaint(frames: list[bytes], mask: tuple[int, int] = (2, 1), **fields: object) -> list[bytes]:
    """A raw request to draw into a picture of 2 x 1 pixels, without items; its frames are those of source and mask."""
    source = {"width": 2, "height": 1, "channels": 3, "frame": 1}
    sent = {"width": mask[0], "height": mask[1], "channels": 1, "frame": 2}
    request = {"kind": "repaint", "items": [], "source": source, "mask": sent, **fields}
    return [packed(kind="submit", body={"job": new_id(), "request": request}), *frames]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (repaint([bytes(6), b"\0\0"]), "submit.request.mask is empty"),
        (repaint([bytes(6), b"\xff\xff"]), "submit.request.mask covers the whole picture"),
        (repaint([bytes(6), b"\xff"], (1, 1)), "submit.request.mask is of 1 x 1 pixels, and the picture of 2 x 1"),
        (repaint([bytes(6), b"\0"]), "submit.request.mask of 2 x 1 x 1 has 1 bytes of pixels, must have 2"),
        (repaint([bytes(6), b"\0\xff"], strength=1.5), "submit.request.strength is 1.5: must be a number from 0 to 1"),
        (repaint([bytes(6), b"\0\xff"], strength=-1), "submit.request.strength is -1: must be a number from 0 to 1"),
        (repaint([bytes(6), b"\0\xff"], resamplings=11), "submit.request.resamplings is 11"),
    ],
)
def test_a_picture_that_cannot_be_drawn_into_is_refused_in_a_sentence(
    client: RawClient, frames: list[bytes], said: str
) -> None:
    client.socket.send_multipart(frames)
    answered, refusal = client.receive()
    assert isinstance(refusal, Refusal)
    assert (answered, refusal.code) == (7, "bad-message")
    assert refusal.message.startswith(said)


def test_a_frame_beyond_the_limit_ends_its_connection_only(client: RawClient, other: RawClient) -> None:
    other.socket.send_multipart([packed(), bytes(MAX_PICTURE_BYTES + 1)])
    while other.hears_nothing(0.1):
        other.send(Ping())  # the first that is answered came over the next connection
    assert isinstance(other.receive()[1], Pong)
    assert client.ask(Ping(), Pong)


def test_frames_that_are_too_much_together_are_refused(client: RawClient) -> None:
    frame = bytes(MAX_PICTURE_BYTES)
    client.socket.send_multipart([packed(), *[frame] * (MAX_MESSAGE_BYTES // MAX_PICTURE_BYTES), b"1"], copy=False)
    answered, refusal = client.receive()
    assert answered == 0
    assert isinstance(refusal, Refusal)
    assert (refusal.code, str(MAX_MESSAGE_BYTES) in refusal.message) == ("bad-message", True)


# --- limits and the end: on a daemon of their own ----------------------------------------------------------------


def test_a_full_queue_is_refused_by_name(daemons: Daemons) -> None:
    daemons.start()
    with daemons.client() as client:
        running = client.submit(blend("endless"))
        wait_until(lambda: client.ask(Status(running), JobInfo).state == "running", "the first job runs")
        for _ in range(MAX_WAITING):
            client.submit(blend())
        refusal = client.ask(Submit(new_id(), blend()), Refusal)
        assert refusal.code == "queue-full"
        assert client.submit(blend("endless"), running) == running  # known, so it needs no room
        assert len(client.ask(ListJobs(), JobList).jobs) == MAX_WAITING + 1


def test_a_slow_reader_neither_blocks_others_nor_piles_up_answers_nor_loses_its_result(daemons: Daemons) -> None:
    daemons.start()
    with daemons.client(rcvhwm=1) as slow, daemons.client() as client:
        job = slow.submit(blend("quick " * 50, seed=8))
        asked = [slow.send(Status(job)) for _ in range(6000)]
        wait_until(lambda: client.ask(Status(job), JobInfo).state == "done", "the job is done")
        received = []
        while not slow.hears_nothing(0.5):
            received.append(slow.receive()[1])
        assert sum(isinstance(message, JobInfo) for message in received) < len(asked)
        assert [message.pictures[0].pixels[0] for message in received if isinstance(message, Result)] == [8]


def test_shutdown_cancels_everything_and_tells_the_watchers_where_nothing_is_kept(daemons: Daemons) -> None:
    daemon = daemons.start("--state=none")
    with daemons.client() as client:
        running, queued = client.submit(blend("slow " * 100)), client.submit(blend())
        client.wait_for_progress(running)
        assert client.ask(Shutdown(), Pong).stopping
        assert {end.code for end in client.outcomes(running, queued).values()} == {"cancelled"}
    assert daemon.wait() == 0


def test_nothing_is_accepted_while_the_daemon_stops(daemons: Daemons) -> None:
    daemons.start("--state=none")
    with daemons.client() as client:
        running = client.submit(blend("slow slow burn burn burn burn burn burn"))
        client.wait_for_progress(running)
        client.send(Shutdown())
        refusal = client.ask(Submit(new_id(), blend()), Refusal)
        assert refusal.code == "stopping"


def test_jobs_are_listed_to_those_who_have_their_token_and_reached_by_their_id(client: RawClient) -> None:
    mine, theirs, anybodys = new_id(), new_id(), new_id()
    for job, owner in ((mine, "me"), (theirs, "them"), (anybodys, "")):
        client.ask(Submit(job, blend(), owner), Accepted)
        client.outcome(job)
    assert [info.job for info in client.ask(ListJobs("me"), JobList).jobs] == [mine]
    assert anybodys in [info.job for info in client.ask(ListJobs(), JobList).jobs]
    assert not {mine, theirs} & {info.job for info in client.ask(ListJobs(), JobList).jobs}
    assert client.ask(Status(theirs), JobInfo).state == "done"


def test_a_token_is_not_kept(daemons: Daemons) -> None:
    daemons.start()
    with daemons.client() as client:
        client.ask(Submit(new_id(), blend("slow"), "my secret token"), Accepted)
    assert not [path for path in daemons.home.rglob("*") if path.is_file() and b"secret token" in path.read_bytes()]
