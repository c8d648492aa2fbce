"""The actor of RayExecutor: a LocalExecutor on another machine, whose child process owns the models.

Ray calls all methods in one event loop. What the local executor looks after, such as a step that does not end or a
process that has grown, is looked after on each machine in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from importlib import metadata

from daemon.executors.base import Event, JobDone, JobFailed, JobGivenBack, Machine, MachineChanged
from daemon.executors.local import LocalExecutor
from plugin_client.wire.messages import JobRequest

PAUSE = 0.1  # s between two looks at the executor while it has no news


class RayWorker:
    """Runs one job at a time. `arguments` are those of daemon.worker."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._executor = LocalExecutor(arguments)
        self._machine = Machine("")
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._runs = False
        self._turning: asyncio.Task[None] | None = None

    async def begin(self) -> str:
        """Start the process that owns the models; the version of this installation."""
        asyncio.get_running_loop().add_reader(self._executor.fileno(), self._poll)
        self._turning = asyncio.create_task(self._turn())
        return metadata.version("kandinsky-blend")

    async def machine(self) -> Machine:
        """The machine as its worker sees it: device, models and memory."""
        return self._machine

    async def run(self, job_id: str, request: JobRequest) -> AsyncIterator[Event]:
        """Run a job; its events, of which the last is a JobDone, JobFailed or JobGivenBack."""
        self._runs = True
        self._executor.run(job_id, request)
        while self._runs:
            event = await self._events.get()
            self._runs = not isinstance(event, JobDone | JobFailed | JobGivenBack)
            yield event

    async def cancel(self, job_id: str) -> None:
        """Make a running job end within a step; one that does not run, or no more, is left as it is."""
        self._executor.cancel(job_id)

    async def _turn(self) -> None:
        while True:
            self._poll()
            await asyncio.sleep(PAUSE)

    def _poll(self) -> None:
        for event in self._executor.poll():
            if isinstance(event, MachineChanged):
                self._machine = event.machine
            if self._runs:
                self._events.put_nowait(event)
