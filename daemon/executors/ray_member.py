"""The daemon's side of one worker in a Ray cluster: its actor, which is made again when it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from queue import Empty, SimpleQueue
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError

from daemon.executors.base import Event, Machine
from daemon.texts import clip_note
from plugin_client.wire.messages import JobRequest

LOOK_PAUSE = 2.0  # s between two looks at an idle worker
MAX_RESTARTS = 5  # of a worker that has finished no job meanwhile
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # s before the actor is made again: doubled at each loss in a row


class Life:
    """One actor, from its making to its loss."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._streams: SimpleQueue[Any] = SimpleQueue()  # of events, one a job
        self._jobs = 0  # that were started

    def run(self, job_id: str, request: JobRequest, places: Sequence[Any]) -> None:
        """Start a job. Pictures go to Ray's object store, from where the worker's node takes them.

        `places` are those of embeddings that others make for it, as of embeddings().
        """
        self._jobs += 1
        self._streams.put(self._actor.run.remote(self._jobs, job_id, request, places))

    def embeddings(self) -> Any:
        """Return where the embeddings will be found that the job makes which is started next."""
        return self._actor.embeddings.remote(self._jobs + 1)

    def cancel(self) -> None:
        """Make the job that was started last end within a step; one that is over stays as it is."""
        self._actor.cancel.remote(self._jobs)

    def end(self) -> None:
        with suppress(RayError):
            ray.kill(self._actor)
        self._streams.put(None)

    def begin(self) -> None:
        """Wait until the actor is there. Raises: RayError; WrongVersion."""
        version, own = ray.get(self._actor.begin.remote()), metadata.version("kandinsky-blend")
        if version != own:
            raise WrongVersion(f"it has version {version} of kandinsky-blend, and the daemon has {own}")

    def follow(self, tell: Callable[[Machine | Event], None]) -> None:
        """Tell of all that happens until the actor is lost or end() is called. Raises: RayError."""
        while True:
            try:
                stream = self._streams.get(timeout=LOOK_PAUSE)
            except Empty:
                tell(ray.get(self._actor.machine.remote()))
                continue
            if stream is None:
                return
            for event in stream:
                tell(ray.get(event))


class WrongVersion(Exception):
    """A worker has another version of this program than the daemon."""


@dataclass(frozen=True)
class Began:
    """A member can take jobs from now on."""

    life: Life


@dataclass(frozen=True)
class Lost:
    """A member has lost its actor, and makes another unless that is `for_good`."""

    reason: str
    for_good: bool


News = Began | Lost | Machine | Event


class Member:
    """A worker of the cluster, which a thread follows.

    Args:
        name: of the worker, e.g. "studio3/1".
        make: makes the actor; its argument is the number of the life.
        tell: is called by the thread with this and with what is new.
    """

    def __init__(self, name: str, make: Callable[[int], Any], tell: Callable[[Member, News], None]) -> None:
        self.name = name
        self._make = make
        self._tell = tell
        self._ended = threading.Event()
        self._life: Life | None = None
        self._thread = threading.Thread(target=self._follow, name=name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Give the worker up, whatever it does; nothing blocks."""
        self._ended.set()
        if self._life:
            self._life.end()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def _follow(self) -> None:
        lives = losses = 0
        while not self._ended.is_set():
            lives += 1
            useful, reason = self._live(lives)
            losses = 1 if useful else losses + 1
            if self._ended.is_set():
                return
            self._tell(self, Lost(reason, for_good=losses > MAX_RESTARTS))
            if losses > MAX_RESTARTS:
                return
            self._ended.wait(min(FIRST_PAUSE * 2 ** (losses - 1), LONGEST_PAUSE))

    def _live(self, number: int) -> tuple[bool, str]:
        """Follow one actor to its end: whether it has told anything of a job, and why it ended."""
        useful = False

        def tell(news: Machine | Event) -> None:
            nonlocal useful
            useful = useful or not isinstance(news, Machine)
            self._tell(self, news)

        try:
            self._life = life = Life(self._make(number))
        except RayError as exc:
            return useful, _describe(exc)
        if self._ended.is_set():
            life.end()
        try:
            life.begin()
            self._tell(self, Began(life))
            life.follow(tell)
            return useful, "it was ended"
        except WrongVersion as exc:
            return useful, str(exc)
        except RayError as exc:
            return useful, _describe(exc)
        finally:
            life.end()  # also an actor that lives on where the network is cut


def _describe(error: RayError) -> str:
    if isinstance(error, ActorUnavailableError):
        return "its machine does not answer"
    return clip_note(" ".join(str(error).split()))
