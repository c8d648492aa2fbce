"""`python -m tests.benchmarks.cluster [--frames N]`: a sweep on 1, 2 and 4 workers of a Ray cluster, and the overhead.

Takes a few minutes, prints a table and writes it to results/cluster.md, where it was told no other number of frames.
Each worker computes in one thread, with the embedded model. The overhead of a job is what one worker of a cluster takes
beyond the local executor for the same frames, and for jobs that do nothing.
"""

from __future__ import annotations

import argparse
import os
import select
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.executors.base import Executor, JobDone, JobFailed, JobGivenBack
from daemon.executors.local import LocalExecutor
from daemon.executors.ray import RayExecutor
from plugin_client.sweep import frames_of
from plugin_client.wire.messages import Blend, JobRequest, TextItem
from tests.daemon.cluster import studio

SIDE, STEPS = 256, 25
ENGINE, STAND_IN = "daemon.engine:Engine", "tests.daemon.fake_engine:FakeEngine"
WORKERS = (1, 2, 4)
FRAMES = 48
PATIENCE = 600.0  # s
TICK = 0.1  # s, as the daemon's
RESULTS = Path(__file__).parent / "results" / "cluster.md"


@dataclass(frozen=True)
class Row:
    """What some jobs took. Times are in seconds."""

    what: str
    jobs: int
    seconds: float
    processor: float  # of this process, the daemon's

    def __str__(self) -> str:
        each = f"{1000 * self.seconds / self.jobs:.0f} | {1000 * self.processor / self.jobs:.1f}"
        return f"| {self.what} | {60 * self.jobs / self.seconds:.0f} | {each} |"


def arguments(engine: str) -> list[str]:
    return [f"--engine={engine}", "--model=embedded", "--device=cpu", "--precision=float32", "--log-level=warning"]


def sweep(frames: int) -> Sequence[Blend]:
    items = (TextItem("a red circle", 1.0), TextItem("a blue square", 0.0))
    return frames_of(Blend(items, width=SIDE, height=SIDE, steps=STEPS), to=(0.0, 1.0), count=frames)


def nothing(jobs: int) -> Sequence[Blend]:
    return [Blend((TextItem("flash", 1.0),), width=768, height=768)] * jobs


def run_all(executor: Executor, requests: Sequence[JobRequest]) -> None:
    """Run jobs as slots become free, and see each done once."""
    left = {f"job {n}": request for n, request in enumerate(requests)}
    ended: set[str] = set()
    deadline = time.monotonic() + PATIENCE
    while len(ended) < len(requests):
        assert time.monotonic() < deadline, "the jobs take too long"
        for event in executor.poll():
            assert not isinstance(event, JobFailed | JobGivenBack), event
            if isinstance(event, JobDone):
                assert event.job not in ended
                ended.add(event.job)
        while left and executor.free_slots(""):
            executor.run(*left.popitem())
        select.select([executor], [], [], TICK)


def measured(what: str, executor: Executor, slots: int, requests: Sequence[JobRequest]) -> Row:
    """Time jobs on an executor whose workers are warm, and stop it."""
    try:
        deadline = time.monotonic() + PATIENCE
        while executor.free_slots("") < slots:
            assert time.monotonic() < deadline, "the workers do not start"
            list(executor.poll())
            time.sleep(0.01)
        run_all(executor, requests[:1] * (2 * slots))  # each reads its model
        started, used = time.monotonic(), time.process_time()
        run_all(executor, requests)
        return Row(what, len(requests), time.monotonic() - started, time.process_time() - used)
    finally:
        executor.stop()


def on_a_cluster(engine: str, workers: int, requests: Sequence[JobRequest], what: str = "") -> Row:
    with studio() as nodes:
        nodes.join(workers)
        executor = RayExecutor(nodes.address, arguments(engine), workers, None)
        return measured(what or f"Ray, {workers} workers", executor, workers, requests)


def measure(frames: Sequence[Blend]) -> Iterator[str]:
    """The lines of the table and what follows from it, each as soon as it is known."""
    idle = nothing(4 * len(frames))
    load = f"{os.getloadavg()[0]:.1f}"
    yield f"{len(frames)} frames of {SIDE} px, {STEPS} steps; {os.cpu_count()} processors, one thread a worker."
    yield f"Of the machine's processors {load} were busy on average in the minute before.\n"
    yield "| | frames a minute | ms a job | ms of the daemon's processor a job |\n|---|---|---|---|"
    local = measured("local", LocalExecutor(arguments(ENGINE)), 1, frames)
    yield str(local)
    rows = {}
    for workers in WORKERS:
        rows[workers] = on_a_cluster(ENGINE, workers, frames)
        yield str(rows[workers])
    near = measured("local, jobs that do nothing, 768 px", LocalExecutor(arguments(STAND_IN)), 1, idle)
    yield str(near)
    far = on_a_cluster(STAND_IN, 1, idle, "Ray, 1 worker, jobs that do nothing, 768 px")
    yield f"{far}\n"
    for workers, row in rows.items():
        yield f"- efficiency of {workers} against one: {rows[1].seconds / row.seconds / workers:.2f}"
    more = (rows[1].seconds - local.seconds) / len(frames)
    yield f"- overhead of Ray a frame: {1000 * more:.0f} ms, {100 * more * len(frames) / local.seconds:.1f} %"
    each = (far.seconds - near.seconds) / len(idle)
    yield f"- overhead of Ray a job that does nothing: {1000 * each:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    number = parser.parse_args().frames
    os.environ["OMP_NUM_THREADS"] = "1"
    # Else Ray's processes give way to whatever else the machine does.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (Ray's own spelling)
    lines = []
    for line in measure(sweep(number)):
        print(line, flush=True)
        lines.append(line)
    if number == FRAMES:
        RESULTS.write_text("# A sweep on a Ray cluster\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
