from __future__ import annotations

import _thread
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import zmq
from PIL import Image

import plugin_client
from plugin_client.client import Client, make_blend
from plugin_client.job import BlendResult, Job
from plugin_client.wire import codec
from plugin_client.wire.connection_file import Endpoint, new_keys, write_connection
from plugin_client.wire.errors import (
    BadArgument,
    DaemonNotRunning,
    EndpointError,
    JobCancelled,
    JobFailed,
    NoAnswer,
    ProtocolError,
    Refused,
    UsageError,
    VersionError,
)
from plugin_client.wire.faults import Fault
from plugin_client.wire.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    ClientMessage,
    DaemonMessage,
    Failed,
    Pong,
    Progress,
    Refusal,
    Release,
    Submit,
    Watch,
)
from plugin_client.wire.paths import connection_file, default_address
from tests.client.fake_transport import FunctionTransport
from tests.client.scripted_daemon import PONG, Script, ScriptedDaemon, job_info, result
from tests.refusals import refused

SMALL: dict[str, Any] = {"size": (32, 16), "seed": 7}
JOB = str(uuid.UUID(int=9))


# --- a whole conversation ----------------------------------------------------------------------------------------


def test_blend_gives_one_picture_of_the_asked_size(script: Script) -> None:
    with Client() as client:
        image = client.blend([("a cat", 0.3), (Image.new("RGB", (8, 8)), 0.7)], **SMALL)
    assert image.size == (32, 16)
    assert image.getpixel((0, 0)) == (7, 0, 7)
    assert isinstance(script.asked[-1], Release)


def test_a_job_tells_each_step_and_then_its_result(script: Script) -> None:
    with Client() as client:
        job = client.submit([("a cat", 1)], count=2, **SMALL)
        assert [progress.step for progress in job.watch()] == [1, 2, 3]
        made = job.result()
    assert [recipe["variation"] for recipe in made.recipes] == [0, 1]
    assert [image.getpixel((0, 0)) for image in made.images] == [(7, 0, 7), (7, 1, 7)]
    assert made.warnings == ("the prompt was cut",)


def test_a_result_may_be_asked_for_twice(script: Script) -> None:
    with Client() as client:
        job = client.submit([("a cat", 1)], **SMALL)
        assert job.result() == job.result()


def test_two_jobs_of_one_client_do_not_mix(script: Script) -> None:
    with Client() as client:
        first = client.submit([("a", 1)], size=(16, 16), seed=1)
        second = client.submit([("b", 1)], size=(16, 16), seed=2)
        assert second.result().recipes[0]["seed"] == 2
        assert first.result().recipes[0]["seed"] == 1


def test_another_client_comes_back_to_a_job_by_its_id(script: Script) -> None:
    with Client() as client:
        job_id = client.submit([("a cat", 1)], **SMALL).id
    with Client() as client:
        assert client.job(job_id.upper()).result().recipes[0]["seed"] == 7


def test_a_repeated_submit_is_the_same_job(script: Script) -> None:
    blend = make_blend([("a cat", 1)], **SMALL)
    with Client() as client:
        first = client.submit_blend(blend, JOB)
        second = client.submit_blend(blend, JOB)
        assert first.id == second.id == JOB
        assert second.result() == first.result()


def test_the_daemon_s_own_answers_come_through(script: Script) -> None:
    script.jobs = (job_info(JOB),)
    with Client() as client:
        assert client.ping() == PONG
        assert client.models() == script.models
        assert client.jobs() == script.jobs
        client.shutdown()
        client.submit_blend(make_blend([("a cat", 1)], **SMALL), JOB)
        job = client.job(JOB)
        assert job.cancel().state == "cancelling"
        job.release()


def test_an_event_loop_polls_without_waiting(script: Script) -> None:
    with Client() as client:
        job = client.submit([("a cat", 1)], **SMALL)
        steps, longest = [], 0.0
        while not job.is_over:
            began = time.monotonic()
            progress = job.poll(0)
            longest = max(longest, time.monotonic() - began)
            steps += [progress.step] if progress else []
        assert steps == [1, 2, 3]
        assert longest < 2
        assert isinstance(job.result(), BlendResult)


def test_the_public_names_are_these() -> None:
    assert plugin_client.__all__ == ["BlendResult", "Client", "Job"]
    assert plugin_client.Client is Client
    assert "Job" in dir(plugin_client)
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        plugin_client.Klient  # noqa: B018


def test_the_client_needs_no_pillow_and_no_backend() -> None:
    probe = "import sys, plugin_client.client; print({'PIL', 'numpy', 'kandinsky_backend'} & sys.modules.keys())"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert out == "set()\n"


# --- ends that are not pictures ----------------------------------------------------------------------------------


class Failing(Script):
    code: Any = "out-of-memory"

    def end(self, submit: Submit) -> DaemonMessage:
        return Failed(submit.job, self.code, "it went wrong")


def test_a_failed_job_raises_its_reason() -> None:
    with ScriptedDaemon(Failing()), Client() as client, refused(JobFailed, "out-of-memory") as caught:
        client.blend([("a cat", 1)], **SMALL)
    assert caught.value.sentence == "it went wrong"


def test_a_cancelled_job_says_so() -> None:
    script = Failing()
    script.code = "cancelled"
    with ScriptedDaemon(script), Client() as client:
        job = client.submit([("a cat", 1)], **SMALL)
        assert len(list(job.watch())) == 3
        with pytest.raises(JobCancelled):
            job.result()


def test_an_unknown_job_is_refused_by_name(script: Script) -> None:
    with Client() as client, refused(Refused, "unknown-job") as caught:
        client.job(JOB)
    assert JOB in caught.value.sentence


@pytest.mark.parametrize("job_id", ["", "x", "../../etc/passwd", JOB + "0", None, 7, b"x"])
def test_what_is_no_job_id_is_not_sent(script: Script, job_id: Any) -> None:
    with Client() as client, refused(UsageError, "no-job-id", job=job_id):
        client.job(job_id)
    assert script.asked == []


class Endless(Script):
    """Works until it is cancelled; Ctrl-C comes with the first step."""

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        threading.Timer(0.2, _thread.interrupt_main).start()
        return [Progress(submit.job, "denoising", 1, 3, 0, 0.1, 100.0)]


def test_a_blend_that_is_interrupted_leaves_no_job_that_runs() -> None:
    with ScriptedDaemon(Endless()) as daemon, Client() as client, pytest.raises(KeyboardInterrupt):
        client.blend([("a cat", 1)], **SMALL)
    (job,) = daemon.script.submitted
    assert daemon.script.asked[-2:] == [Cancel(job), Release(job)]


def test_a_blend_that_fails_leaves_no_job_behind() -> None:
    with ScriptedDaemon(Failing()) as daemon, Client() as client, refused(JobFailed, "out-of-memory") as caught:
        client.blend([("a cat", 1)], **SMALL)
    (job,) = daemon.script.submitted
    assert daemon.script.asked[-1] == Release(job)
    assert caught.value.sentence == "it went wrong"


# --- no daemon, a dead one, another one --------------------------------------------------------------------------


CALLS: dict[str, Callable[[Client], object]] = {
    "ping": Client.ping,
    "models": Client.models,
    "jobs": Client.jobs,
    "shutdown": Client.shutdown,
    "submit": lambda client: client.submit([("a", 1)]),
    "blend": lambda client: client.blend([("a", 1)]),
    "job": lambda client: client.job("1f2e3d4c-0000-4000-8000-000000000001"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_client_says_that_it_is_closed(script: Script, call: str) -> None:
    with Client() as client:
        pass
    client.close()
    with pytest.raises(UsageError) as caught:
        CALLS[call](client)
    assert caught.value.code == "closed"


@pytest.mark.parametrize("call", [Job.result, Job.poll, Job.cancel, Job.release])
def test_a_job_of_a_closed_client_says_so_too(script: Script, call: Callable[[Job], object]) -> None:
    with Client() as client:
        job = client.submit([("a", 1)], size=(16, 16))
    with pytest.raises(UsageError) as caught:
        call(job)
    assert caught.value.code == "closed"
    job.discard()


def test_without_a_daemon_the_error_says_how_to_start_one() -> None:
    with refused(DaemonNotRunning, "no-daemon", address=default_address()):
        Client()


def test_a_connection_file_that_outlived_its_daemon_is_noticed_at_once() -> None:
    with ScriptedDaemon(Script()):
        pass
    assert connection_file(default_address()).exists()
    began = time.monotonic()
    with refused(DaemonNotRunning, "not-listening", address=default_address()):
        Client()
    assert time.monotonic() - began < 1


def test_a_connection_file_of_another_version_is_refused(script: Script) -> None:
    path = connection_file(default_address())
    path.write_text(path.read_text().replace(f'"protocol": {PROTOCOL_VERSION}', '"protocol": 9'))
    with refused(VersionError, "protocol-version", version=9, known=PROTOCOL_VERSION):
        Client()


@pytest.mark.parametrize("endpoint", ["http://x", 5555, Path("/run/daemon.sock")])
def test_a_bad_endpoint_is_refused(endpoint: Any) -> None:
    with refused(EndpointError, "no-endpoint", address=endpoint):
        Client(endpoint)


@pytest.mark.parametrize("timeout", ["1", None, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_named(script: Script, timeout: Any) -> None:
    with pytest.raises(BadArgument, match=r"^timeout is .*: must be a number from 0 to 86400$"):
        Client(timeout=timeout)
    with Client() as client, pytest.raises(BadArgument, match=r"^timeout is "):
        client.timeout = timeout


class Silent(Script):
    """Accepts jobs and is never heard again."""

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        return [Progress(submit.job, "denoising", 1, 3, 0, 0.1, 0.2)]

    def watched(self, job: str) -> Iterable[DaemonMessage]:
        return []


def test_a_daemon_that_falls_silent_is_an_error_in_words_without_ids() -> None:
    with ScriptedDaemon(Silent()), Client(timeout=0.4) as client:
        job = client.submit([("a cat", 1)], **SMALL)
        with refused(NoAnswer, "silent", seconds=0.4) as caught:
            job.result()
    assert job.id not in str(caught.value)


def test_whoever_polls_late_asks_before_the_daemon_counts_as_silent() -> None:
    with ScriptedDaemon(Silent()), Client(timeout=0.2) as client:
        job = client.submit([("a cat", 1)], **SMALL)
        time.sleep(0.5)
        assert job.poll(0)
        assert job.poll(0) is None


def test_a_daemon_that_answers_nothing_is_an_error() -> None:
    client = Client(transport=FunctionTransport(lambda frames: []), timeout=0.05)
    with refused(NoAnswer, "no-answer", asked="ping", seconds=pytest.approx(0.05, abs=1e-3)):
        client.ping()


def test_a_daemon_that_dies_in_the_middle_is_found_out() -> None:
    daemon = ScriptedDaemon(Silent())
    with daemon, Client(timeout=0.4) as client:
        job = client.submit([("a cat", 1)], **SMALL)
        daemon.__exit__(None, None, None)
        with pytest.raises(NoAnswer):
            job.result()


class SlowToTake(Script):
    """Needs a while for a large request, as a busy machine does."""

    def answer(self, message: ClientMessage) -> Iterable[DaemonMessage]:
        time.sleep(0.5)
        return super().answer(message)


def test_a_large_request_may_take_longer_to_be_answered() -> None:
    large = Image.new("RGB", (4000, 2000))  # 24 MB: 24 s more
    with ScriptedDaemon(SlowToTake()), Client(timeout=0.1) as client:
        assert client.submit([(large, 1)], **SMALL).id
        with refused(NoAnswer, "no-answer", asked="ping", seconds=pytest.approx(0.1, abs=1e-3)):
            client.ping()


class Reminded(Silent):
    """Loses sight of its client, as a daemon does that was started again, and goes on when it is asked anew."""

    def watched(self, job: str) -> Iterable[DaemonMessage]:
        return [job_info(job), result(self.submitted[job])]


def test_a_client_in_doubt_watches_anew_and_gets_its_result() -> None:
    with ScriptedDaemon(Reminded()) as daemon, Client(timeout=0.4) as client:
        job = client.submit([("a cat", 1)], **SMALL)
        assert job.result().recipes[0]["seed"] == 7
    assert [type(message) for message in daemon.script.asked] == [Submit, Watch]


class Slow(Silent):
    """Answers that it lives, and takes its time."""

    alive = 0

    def watched(self, job: str) -> Iterable[DaemonMessage]:
        self.alive += 1
        return [job_info(job), *([result(self.submitted[job])] if self.alive == 5 else [])]


def test_a_slow_step_is_no_silence() -> None:
    with ScriptedDaemon(Slow()), Client(timeout=0.3) as client:
        assert client.submit([("a cat", 1)], **SMALL).result().recipes


class Forgetful(Silent):
    def watched(self, job: str) -> Iterable[DaemonMessage]:
        return [Refusal("unknown-job", f"no job {job} is known")]


def test_a_daemon_that_was_started_again_and_forgot_the_job_says_so() -> None:
    with ScriptedDaemon(Forgetful()), Client(timeout=0.3) as client:
        job = client.submit([("a cat", 1)], **SMALL)
        with refused(Refused, "unknown-job") as caught:
            job.result()
    assert caught.value.sentence == f"no job {job.id} is known"


def answering(*messages: DaemonMessage) -> FunctionTransport:
    return FunctionTransport(lambda frames: [codec.encode(message, 1) for message in messages])


def test_a_daemon_of_another_version_is_named() -> None:
    client = Client(transport=answering(Refusal("bad-version", "I speak 2")))
    with pytest.raises(VersionError, match="I speak 2"):
        client.ping()


def test_an_answer_of_another_kind_is_a_protocol_error() -> None:
    client = Client(transport=answering(Accepted(JOB, 0)))
    with refused(ProtocolError, "wrong-answer", asked="ping", answered="accepted"):
        client.ping()


def test_an_answer_that_is_no_message_is_a_protocol_error() -> None:
    client = Client(transport=FunctionTransport(lambda frames: [[b"\xc1"]]))
    with refused(ProtocolError, Fault.UNREADABLE.code):
        client.ping()


def test_an_answer_that_comes_too_late_is_for_nobody() -> None:
    late = [codec.encode(PONG, 1), codec.encode(Pong("new", 1, 0, "", "", 0, 0, 0), 2)]
    transport = FunctionTransport(
        lambda frames: [] if len(asked := codec.decode_client(frames)) and asked[0] == 1 else late
    )
    with Client(transport=transport, timeout=0.05) as client:
        with pytest.raises(NoAnswer):
            client.ping()
        assert client.ping().version == "new"


# --- tcp ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def curve_daemon() -> Iterable[Endpoint]:
    """A daemon on tcp that answers pings to those who know its key."""
    (server_key, server_secret), (client_key, client_secret) = new_keys()
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        router.curve_server = True
        router.curve_secretkey = server_secret.encode()
        router.bind("tcp://127.0.0.1:*")
        done = threading.Event()
        thread = threading.Thread(target=_answer_pings, args=(router, done))
        thread.start()
        yield Endpoint(router.getsockopt_string(zmq.LAST_ENDPOINT), 7, server_key, client_key, client_secret)
        done.set()
        thread.join()


def _answer_pings(router: zmq.Socket[bytes], done: threading.Event) -> None:
    while not done.is_set():
        if router.poll(10):
            client, *frames = router.recv_multipart()
            router.send_multipart([client, *codec.encode(PONG, codec.decode_client(frames)[0])])


def test_tcp_works_with_the_keys_of_the_connection_file(curve_daemon: Endpoint) -> None:
    write_connection(curve_daemon.address, curve_daemon)
    with Client(curve_daemon.address) as client:
        assert client.ping() == PONG


def test_tcp_with_another_server_key_gets_no_answer(curve_daemon: Endpoint) -> None:
    (other_key, _), _ = new_keys()
    imposed = Endpoint(
        curve_daemon.address, 7, other_key, curve_daemon.client_public_key, curve_daemon.client_secret_key
    )
    write_connection(curve_daemon.address, imposed)
    with Client(curve_daemon.address, timeout=0.3) as client, pytest.raises(NoAnswer):
        client.ping()
