"""Requests that are made while the main loop goes on: their progress, end, stop and what is left of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plugin_client.client import Client
from plugin_client.editor import session as session_module
from plugin_client.editor.background import Background
from plugin_client.editor.connection import connect_to_running
from plugin_client.editor.geometry import Area
from plugin_client.editor.pending_jobs import FOLDER, lock_abandoned
from plugin_client.editor.requests import GenerateRequest
from plugin_client.editor.session import End, Session
from plugin_client.job import BlendResult
from plugin_client.wire import codec
from plugin_client.wire.errors import DaemonNotRunning, JobCancelled, JobFailed, NoAnswer, Refused
from plugin_client.wire.messages import (
    Accepted,
    Blend,
    Cancel,
    ClientMessage,
    DaemonMessage,
    Failed,
    ModelInfo,
    Progress,
    Refusal,
    Release,
    Released,
    Submit,
    TextItem,
)
from plugin_client.wire.paths import data_folder
from tests.client.fake_transport import FunctionTransport
from tests.client.scripted_daemon import Script, ScriptedDaemon, job_info
from tests.editor.conftest import HandLoop

BLEND = Blend((TextItem("a cat", 1.0),), width=32, height=16, seed=7)
AREA = Area(0, 0, 32, 16)
REQUEST = GenerateRequest((BLEND,), AREA)
FRAMES = tuple(Blend((TextItem("a cat", weight),), width=32, height=16, seed=7) for weight in (1.0, 0.5))


class Endless(Script):
    """A daemon whose jobs go on until they are cancelled."""

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        return [Progress(submit.job, "denoising", 1, 3, 0, 0.1, 0.2)]


class Cancellable:
    """A daemon that is a function: its one job ends when it is cancelled, under the id of its submit."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._submit_id = 0

    def answer(self, frames: list[bytes]) -> list[list[bytes]]:
        request_id, message = codec.decode_client(frames)
        self.kinds.append(message.kind)
        match message:
            case Submit(job):
                self._submit_id = request_id
                return [
                    codec.encode(Accepted(job, 0), request_id),
                    codec.encode(Progress(job, "denoising", 1, 3, 0, 0.1, 0.2), request_id),
                ]
            case Cancel(job):
                return [
                    codec.encode(job_info(job, "cancelling"), request_id),
                    codec.encode(Failed(job, "cancelled", "somebody asked for it"), self._submit_id),
                ]
            case Release(job):
                return [codec.encode(Released(job), request_id)]
        raise AssertionError(message)


class Dialog:
    """Keeps what a session tells."""

    def __init__(self, background: Background) -> None:
        self.starts = 0
        self.progress: list[Progress] = []
        self.ends: list[Any] = []
        self.errors: list[Any] = []
        self.files_at_the_end: list[str] = []
        self.takes_results = True  # at once
        self.session = Session(background, self._on_starting, self.progress.append)

    def start(self, request: GenerateRequest = REQUEST) -> None:
        self.session.start(request, None, self._on_end)

    def stop(self) -> None:
        self.session.stop(self.errors.append)

    def _on_starting(self) -> None:
        self.starts += 1

    def _on_end(self, end: End) -> None:
        self.ends.append(end)
        self.files_at_the_end = files()
        if self.takes_results:
            self.session.forget_result()


@dataclass
class Starter:
    """Stands for a daemon that takes its time to start."""

    script: Script
    error: Exception | None = None
    may_go_on: threading.Event = field(default_factory=threading.Event)
    has_ended: threading.Event = field(default_factory=threading.Event)
    daemon: ScriptedDaemon | None = None

    def connect(self, on_starting: Any) -> Client:
        on_starting()
        assert self.may_go_on.wait(20)
        try:
            if self.error:
                raise self.error
            self.daemon = ScriptedDaemon(self.script).__enter__()
            return connect_to_running()
        finally:
            self.has_ended.set()


def files() -> list[str]:
    """The endings of the files of pending jobs."""
    return sorted(path.suffix for path in (data_folder() / FOLDER).glob("*"))


def kinds(script: Script, kind: type[ClientMessage]) -> int:
    return sum(isinstance(message, kind) for message in script.asked)


@pytest.fixture
def dialog(background: Background) -> Dialog:
    return Dialog(background)


def test_progress_and_the_result_reach_the_main_loop_in_order(dialog: Dialog, loop: HandLoop, script: Script) -> None:
    dialog.start()
    loop.run_until(lambda: dialog.ends)
    assert [progress.step for progress in dialog.progress] == [1, 2, 3]
    (end,) = dialog.ends
    assert isinstance(end, BlendResult)
    assert (end.pictures[0].width, end.pictures[0].height, dialog.starts) == (32, 16, 0)


def test_the_job_is_written_down_until_its_result_was_taken_and_then_forgotten(
    dialog: Dialog, loop: HandLoop, script: Script
) -> None:
    dialog.start()
    loop.run_until(lambda: dialog.ends and kinds(script, Release))
    assert dialog.files_at_the_end == [".json", ".lock"]
    assert files() == []


def test_a_sweep_is_one_request(dialog: Dialog, loop: HandLoop, script: Script) -> None:
    dialog.start(GenerateRequest(FRAMES, AREA))
    loop.run_until(lambda: dialog.ends and kinds(script, Release) == 2)
    assert len(dialog.ends[0].pictures) == 2
    assert files() == []


def test_a_failed_job_ends_with_its_reason_and_leaves_no_file(dialog: Dialog, loop: HandLoop, script: Script) -> None:
    script.end = lambda submit: Failed(submit.job, "out-of-memory", "no room")  # type: ignore[method-assign]
    dialog.start()
    loop.run_until(lambda: dialog.ends and not files())
    assert isinstance(dialog.ends[0], JobFailed)
    assert dialog.ends[0].code == "out-of-memory"


def test_a_refused_request_ends_with_the_refusal_and_leaves_no_file(
    dialog: Dialog, loop: HandLoop, script: Script
) -> None:
    script.answer = lambda message: [Refusal("queue-full", "too many")]  # type: ignore[method-assign]
    dialog.start()
    loop.run_until(lambda: dialog.ends)
    assert isinstance(dialog.ends[0], Refused)
    assert (dialog.ends[0].code, files()) == ("queue-full", [])


def test_stop_cancels_the_job_and_the_end_says_so(
    dialog: Dialog, loop: HandLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Cancellable()
    monkeypatch.setattr(
        session_module, "connect_or_start", lambda on_starting: Client(transport=FunctionTransport(daemon.answer))
    )
    dialog.start()
    loop.run_until(lambda: dialog.progress)
    dialog.stop()
    loop.run_until(lambda: dialog.ends and "release" in daemon.kinds)
    assert isinstance(dialog.ends[0], JobCancelled)
    assert files() == []
    assert (dialog.errors, daemon.kinds) == ([], ["submit", "cancel", "release"])


def test_while_a_daemon_starts_the_main_loop_goes_on_and_stop_ends_the_request_at_once(
    dialog: Dialog, loop: HandLoop, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = Starter(Script())
    monkeypatch.setattr(session_module, "connect_or_start", starter.connect)
    dialog.start()
    loop.run_until(lambda: dialog.starts)
    dialog.stop()
    assert isinstance(dialog.ends[0], JobCancelled)
    starter.may_go_on.set()
    idle: list[Any] = []
    background.do(lambda: None, idle.append)
    loop.run_until(lambda: idle)
    assert starter.daemon is not None
    starter.daemon.__exit__(None, None, None)
    assert (len(dialog.ends), kinds(starter.script, Submit), files()) == (1, 0, [])


def test_after_a_stop_while_a_daemon_starts_the_next_request_is_made(
    dialog: Dialog, loop: HandLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = Starter(Script())
    monkeypatch.setattr(session_module, "connect_or_start", starter.connect)
    dialog.start()
    loop.run_until(lambda: dialog.starts)
    dialog.stop()
    dialog.start()
    starter.may_go_on.set()
    loop.run_until(lambda: len(dialog.ends) == 2)
    assert starter.daemon is not None
    starter.daemon.__exit__(None, None, None)
    assert isinstance(dialog.ends[1], BlendResult)
    assert kinds(starter.script, Submit) == 1


def test_a_daemon_that_cannot_be_started_is_the_end(
    dialog: Dialog, loop: HandLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = Starter(Script(), DaemonNotRunning("it did not start"))
    starter.may_go_on.set()
    monkeypatch.setattr(session_module, "connect_or_start", starter.connect)
    dialog.start()
    loop.run_until(lambda: dialog.ends)
    assert isinstance(dialog.ends[0], DaemonNotRunning)
    assert files() == []


def test_a_job_whose_connection_is_lost_can_be_recovered(
    dialog: Dialog, loop: HandLoop, background: Background, home: Path
) -> None:
    with ScriptedDaemon(Endless()):
        dialog.start()
        loop.run_until(lambda: dialog.progress)

        def fail(client: Client) -> None:
            raise NoAnswer("silence")

        background.ask(fail, lambda _: None)
        loop.run_until(lambda: dialog.ends)
        assert isinstance(dialog.ends[0], NoAnswer)
        assert (dialog.session.can_go_on, lock_abandoned()) == (True, [])
        dialog.session.close()
        locks: list[Any] = []
        loop.run_until(lambda: locks.extend(lock_abandoned()) or locks)
        assert locks[0].pending.title == "1 a cat, seed 7"
        locks[0].release()


def test_a_job_whose_daemon_has_gone_goes_on_under_its_id_at_the_next_one(
    dialog: Dialog, loop: HandLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedDaemon(gone := Endless()):
        dialog.start()
        loop.run_until(lambda: dialog.progress)
        (job,) = dialog.session.jobs
    loop.run_until(lambda: dialog.ends)
    assert isinstance(dialog.ends[0], NoAnswer)
    with ScriptedDaemon(script := Script()):
        dialog.session.go_on()
        loop.run_until(lambda: len(dialog.ends) == 2 and not files())
    assert isinstance(dialog.ends[1], BlendResult)
    assert [message.job for message in (*gone.asked, *script.asked) if isinstance(message, Submit)] == [job, job]


def test_where_nothing_can_be_written_down_the_picture_is_made_all_the_same(
    dialog: Dialog, loop: HandLoop, script: Script, home: Path
) -> None:
    (home / FOLDER).write_text("in the way")
    dialog.start()
    loop.run_until(lambda: dialog.ends and kinds(script, Release))
    assert isinstance(dialog.ends[0], BlendResult)
    assert "pending-jobs cannot be written" in dialog.session.complaint


def test_a_closed_session_cancels_its_job_and_tells_nothing_more(loop: HandLoop) -> None:
    script, background = Endless(), Background(loop)
    dialog = Dialog(background)
    with ScriptedDaemon(script):
        dialog.start()
        loop.run_until(lambda: dialog.progress)
        dialog.session.close()
        background.close()
    assert (kinds(script, Cancel), kinds(script, Release), dialog.ends, files()) == (1, 1, [], [])


def test_the_size_follows_what_the_model_draws_best(dialog: Dialog, loop: HandLoop, script: Script) -> None:
    script.models = (ModelInfo("small", "", "", loaded=True, side=64),)
    dialog.start(GenerateRequest((Blend((TextItem("a cat", 1.0),), seed=7),), Area(0, 0, 400, 100)))
    loop.run_until(lambda: dialog.ends)
    assert (dialog.ends[0].pictures[0].width, dialog.ends[0].pictures[0].height) == (128, 32)
