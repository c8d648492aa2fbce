"""The thread with the connection to the daemon, beside a main loop that never waits."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from plugin_client.client import Client
from plugin_client.editor.background import Background
from plugin_client.editor.connection import connect_to_running
from plugin_client.wire.connection_file import remove_connection
from plugin_client.wire.errors import DaemonNotRunning, KandinskyError, NoAnswer, Refused, TransportError, UsageError
from plugin_client.wire.messages import ClientMessage, DaemonMessage, Ping
from plugin_client.wire.paths import default_address
from tests.client.scripted_daemon import PONG, Script, ScriptedDaemon
from tests.editor.conftest import HandLoop


class Connections:
    """Counts the connections that are made."""

    def __init__(self) -> None:
        self.number = 0

    def connect(self) -> Client:
        self.number += 1
        return connect_to_running()


class Silent(Script):
    """A daemon that leaves pings without an answer."""

    def answer(self, message: ClientMessage) -> Iterable[DaemonMessage]:
        return [] if isinstance(message, Ping) else super().answer(message)


def impatient() -> Client:
    client = connect_to_running()
    client.timeout = 0.6
    return client


class News:
    """Something watched that counts its polls, and ends after some of them, or loses the connection."""

    def __init__(self, polls: int = 10**9, error: TransportError | None = None) -> None:
        self.polls = 0
        self.lost: list[TransportError] = []
        self._last = polls
        self._error = error

    def poll(self) -> bool:
        self.polls += 1
        if self._error:
            raise self._error
        return self.polls < self._last

    def lose(self, error: TransportError) -> None:
        self.lost.append(error)


def test_an_answer_is_handed_to_the_main_loop(background: Background, loop: HandLoop, script: Script) -> None:
    answers: list[Any] = []
    threads: list[threading.Thread] = []

    def on_answer(answer: object) -> None:
        answers.append(answer)
        threads.append(threading.current_thread())

    background.ask(lambda client: client.ping(), on_answer)
    assert answers == []  # nothing comes before the main loop runs
    loop.run_until(lambda: answers)
    assert (answers, threads) == ([PONG], [threading.current_thread()])


def test_all_questions_share_one_connection(background: Background, loop: HandLoop, script: Script) -> None:
    connections, answers = Connections(), []
    for _ in range(3):
        background.ask(lambda client: client.ping(), answers.append, connections.connect)
    loop.run_until(lambda: len(answers) == 3)
    assert connections.number == 1


def test_where_no_daemon_runs_the_answer_says_so(background: Background, loop: HandLoop) -> None:
    answers: list[Any] = []
    background.ask(lambda client: client.ping(), answers.append)
    loop.run_until(lambda: answers)
    assert isinstance(answers[0], DaemonNotRunning)


def test_an_error_of_the_question_is_the_answer_and_the_connection_stays(
    background: Background, loop: HandLoop, script: Script
) -> None:
    connections, answers = Connections(), []
    job = "00000000-0000-4000-8000-000000000000"
    background.ask(lambda client: client.job(job), answers.append, connections.connect)
    background.ask(lambda client: client.ping(), answers.append, connections.connect)
    loop.run_until(lambda: len(answers) == 2)
    assert isinstance(answers[0], Refused)
    assert (answers[0].code, answers[1], connections.number) == ("unknown-job", PONG, 1)


def test_after_a_daemon_was_replaced_the_next_question_reaches_the_new_one(
    background: Background, loop: HandLoop
) -> None:
    connections, answers = Connections(), []
    for _ in range(2):
        with ScriptedDaemon(Script()):
            background.ask(lambda client: client.ping(), answers.append, connections.connect)
            loop.run_until(lambda: answers and answers[-1] == PONG)
        remove_connection(default_address())
        background.ask(lambda client: client.ping(), answers.append, connections.connect)
        loop.run_until(lambda: isinstance(answers[-1], KandinskyError))
        assert isinstance(answers[-1], DaemonNotRunning)


def test_an_action_needs_no_daemon(background: Background, loop: HandLoop) -> None:
    ends: list[Any] = []

    def refuse() -> int:
        raise UsageError("no")

    background.do(lambda: 7, ends.append)
    background.do(refuse, ends.append)
    loop.run_until(lambda: len(ends) == 2)
    assert ends[0] == 7
    assert isinstance(ends[1], UsageError)


def test_what_is_watched_is_polled_until_its_end(background: Background, loop: HandLoop) -> None:
    news, ends = News(polls=3), []
    background.do(lambda: background.watch(news), ends.append)
    loop.run_until(lambda: news.polls == 3)
    background.do(lambda: None, ends.append)
    loop.run_until(lambda: len(ends) == 2)
    assert (news.polls, news.lost) == (3, [])


def test_what_is_no_longer_watched_is_not_polled(background: Background, loop: HandLoop) -> None:
    news, polls = News(), []
    background.do(lambda: background.watch(news), lambda _: None)
    loop.run_until(lambda: news.polls > 2)
    for _ in range(2):
        background.do(lambda: background.unwatch(news), lambda _: polls.append(news.polls))
    loop.run_until(lambda: len(polls) == 2)
    assert polls[0] == polls[1]


def test_when_the_connection_is_lost_all_that_is_watched_learns_it(
    background: Background, loop: HandLoop, script: Script
) -> None:
    error = NoAnswer("silence")
    patient, broken = News(), News(error=error)
    background.ask(lambda _: background.watch(patient), lambda _: None)
    background.ask(lambda _: background.watch(broken), lambda _: None)
    loop.run_until(lambda: patient.lost and broken.lost)
    assert (patient.lost, broken.lost) == ([error], [error])


def test_a_daemon_that_falls_silent_is_left_and_what_is_watched_learns_it(
    background: Background, loop: HandLoop
) -> None:
    news, answers = News(), []
    with ScriptedDaemon(Silent()):
        background.ask(lambda _: background.watch(news), answers.append, impatient)
        background.ask(lambda client: client.ping(), answers.append)
        loop.run_until(lambda: len(answers) == 2)
    assert isinstance(answers[1], NoAnswer)
    assert news.lost == [answers[1]]


def test_once_it_is_closed_nothing_is_handed_on(loop: HandLoop, script: Script) -> None:
    background, answers = Background(loop), []
    background.ask(lambda client: client.ping(), answers.append)
    background.close()
    done: list[bool] = []
    loop.on_main_thread(lambda: done.append(True))
    loop.run_until(lambda: done)
    assert answers == []
    assert [message.kind for message in script.asked] == ["ping"]  # what was asked before was still done
