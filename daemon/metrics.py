"""What is counted and timed: nothing, or with `--metrics PORT` what Prometheus reads at a port of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import DaemonError
from plugin_client.wire.messages import JobState

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)  # s
_HOST = "127.0.0.1"


class Metrics:
    """Takes in what happens, and keeps nothing of it."""

    def job_ended(self, state: JobState, seconds: float) -> None:
        """Count a job that has ended so, and has run for `seconds`."""

    def show(self, waiting: int, running: int, memory: int) -> None:
        """Show the queue, and the bytes resident in the processes that own models."""


class PrometheusMetrics(Metrics):
    """Metrics of prometheus_client, whose other threads may read them at any time."""

    def __init__(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter, Gauge, Histogram

        self._ended = Counter("kandinsky_jobs", "Jobs that have ended.", ["state"], registry=registry)
        self._seconds = Histogram(
            "kandinsky_job_seconds", "How long done jobs have run.", buckets=_BUCKETS, registry=registry
        )
        self._waiting = Gauge("kandinsky_jobs_waiting", "Jobs in the queue.", registry=registry)
        self._running = Gauge("kandinsky_jobs_running", "Jobs that run.", registry=registry)
        self._memory = Gauge("kandinsky_worker_memory_bytes", "Resident in the owners of models.", registry=registry)

    def job_ended(self, state: JobState, seconds: float) -> None:
        self._ended.labels(state).inc()
        if state == "done":
            self._seconds.observe(seconds)

    def show(self, waiting: int, running: int, memory: int) -> None:
        self._waiting.set(waiting)
        self._running.set(running)
        self._memory.set(memory)


@contextmanager
def served(port: int | None) -> Iterator[Metrics]:
    """Metrics that are served at a port of 127.0.0.1 while this lasts; with None they count nothing.

    Raises:
        DaemonError: the package that serves them is not installed, or the port cannot be had.
    """
    if port is None:
        yield Metrics()
        return
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as exc:
        raise DaemonError("--metrics needs a package: pip install prometheus_client") from exc
    registry = CollectorRegistry()
    try:
        server, thread = start_http_server(port, _HOST, registry)
    except OSError as exc:
        raise DaemonError(f"metrics cannot be served at {_HOST}:{port}: {exc.strerror}; choose another port") from exc
    try:
        yield PrometheusMetrics(registry)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
