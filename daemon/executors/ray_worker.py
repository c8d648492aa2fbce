"""The actor of RayExecutor: a LocalExecutor on another machine, whose child process owns the models.

Ray calls all methods in one event loop, not always in the order in which they were asked for: so jobs are numbered.
What the local executor looks after, such as a step that does not end or a process that has grown, is looked after on
each machine in the same way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from importlib import metadata
from typing import Any

from ray.exceptions import RayError

from daemon.executors.base import (
    Embedding,
    Event,
    JobDone,
    JobEmbedded,
    JobFailed,
    JobGivenBack,
    Machine,
    MachineChanged,
)
from daemon.executors.local import LocalExecutor
from daemon.executors.thinning import Thinning
from plugin_client.wire.messages import JobRequest

PAUSE = 0.1  # s between two looks at the executor while it has no news
WAIT_SECONDS = 120.0  # for embeddings that another worker makes, which may be downloading its model first


class RayWorker:
    """Runs one job at a time. `arguments` are those of daemon.worker."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._executor = LocalExecutor(arguments)
        self._machine = Machine("")
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._thinning = Thinning()  # each event is an object that Ray has to hand over
        self._runs = False
        self._job = ""
        self._number = 0  # of the job
        self._cancelled = 0  # number of the job that was cancelled last
        self._awaited: asyncio.Task[tuple[Embedding, ...]] | None = None  # the embeddings that others make for the job
        self._made: dict[int, asyncio.Future[tuple[Embedding, ...]]] = {}  # by number of their job
        self._turning: asyncio.Task[None] | None = None

    async def begin(self) -> str:
        """Start the process that owns the models; the version of this installation."""
        asyncio.get_running_loop().add_reader(self._executor.fileno(), self._poll)
        self._turning = asyncio.create_task(self._turn())
        return metadata.version("kandinsky-blend")

    async def machine(self) -> Machine:
        """The machine as its worker sees it: device, models and memory."""
        return self._machine

    async def run(self, number: int, job_id: str, request: JobRequest, places: Sequence[Any]) -> AsyncIterator[Event]:
        """Run a job; its events, of which the last is a JobDone, JobFailed or JobGivenBack.

        Args:
            number: of the job, higher than that of the one before.
            places: references to embeddings that others make for it, or have made: the job waits for them.
        """
        self._number, self._job = number, job_id
        self._made = {other: made for other, made in self._made.items() if other >= number}
        made = self._made_by(number)
        try:
            async for event in self._events_of(job_id, request, await self._gathered(places)):
                if isinstance(event, JobEmbedded):
                    _give(made, event.embeddings)
                else:
                    yield event
        except asyncio.CancelledError:
            yield JobFailed(job_id, "cancelled", "cancelled before it began")
        _give(made, ())

    async def embeddings(self, number: int) -> tuple[Embedding, ...]:
        """The embeddings that a job makes, as soon as it has them all; none of one that ends before."""
        return await self._made_by(number)

    async def cancel(self, number: int) -> None:
        """Make a job end within a step, also one that is still to begin; one that is over is left as it is."""
        self._cancelled = number
        if number != self._number:
            return
        if self._awaited:
            self._awaited.cancel()
        self._executor.cancel(self._job)

    async def _events_of(self, job_id: str, request: JobRequest, known: tuple[Embedding, ...]) -> AsyncIterator[Event]:
        self._runs = True
        self._executor.run(job_id, request, known)
        while self._runs or not self._events.empty():
            yield await self._events.get()

    async def _gathered(self, places: Sequence[Any]) -> tuple[Embedding, ...]:
        """What others make for the job. Raises: CancelledError: the job was cancelled meanwhile, or before."""
        self._awaited = asyncio.create_task(_all_found(places))
        if self._cancelled == self._number:
            self._awaited.cancel()
        try:
            return await self._awaited
        finally:
            self._awaited = None

    def _made_by(self, number: int) -> asyncio.Future[tuple[Embedding, ...]]:
        return self._made.setdefault(number, asyncio.get_running_loop().create_future())

    async def _turn(self) -> None:
        while True:
            self._poll()
            await asyncio.sleep(PAUSE)

    def _poll(self) -> None:
        now = time.monotonic()
        for event in self._executor.poll():
            if isinstance(event, MachineChanged):
                self._machine = event.machine
            if self._runs and self._thinning.tells(event, now):
                self._events.put_nowait(event)
            self._runs = self._runs and not isinstance(event, JobDone | JobFailed | JobGivenBack)
        if progress := self._thinning.due(now):
            self._events.put_nowait(progress)


async def _all_found(places: Sequence[Any]) -> tuple[Embedding, ...]:
    return tuple(one for embeddings in await asyncio.gather(*map(_found, places)) for one in embeddings)


async def _found(place: Any) -> tuple[Embedding, ...]:
    """What is found at a reference; nothing where its maker is lost or slow, so that the job makes it itself."""
    try:
        embeddings: tuple[Embedding, ...] = await asyncio.wait_for(place, WAIT_SECONDS)
    except (RayError, asyncio.TimeoutError):
        return ()
    return embeddings


def _give(made: asyncio.Future[tuple[Embedding, ...]], embeddings: tuple[Embedding, ...]) -> None:
    """Tell who waits for embeddings, unless they have been told."""
    if not made.done():
        made.set_result(embeddings)
