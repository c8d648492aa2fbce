"""`python -m tests.benchmarks.cluster [--frames N]`: a sweep on 1, 2 and 4 workers of a Ray cluster, and the overhead.

Takes less than 5 minutes on 2 quiet processors, prints a table, and writes it to results/cluster.md where it was told
no other number of frames. Each worker computes in one thread. The small model shows what there is to gain on this
machine; an engine that sleeps takes no processor, so it shows what the scheduler costs however many workers there are.
The local executor and one worker of the cluster take turns, so that both meet the same moods of the machine.
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
from tests.daemon.cluster import Studio, studio

SIDE, STEPS = 256, 25
SLEEPS = 50  # of 10 ms each, a step of progress each
WORKERS = (1, 2, 4)
FRAMES = 24
ROUNDS = 4
PATIENCE = 600.0  # s
TICK = 0.1  # s, as the daemon's
RESULTS = Path(__file__).parent / "results" / "cluster.md"
HEAD = """\
| engine | workers | frames a minute | efficiency against one | beyond local, a frame | ms of the daemon's processor |
|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Kind:
    """A kind of frame, and the engine that makes it."""

    name: str
    engine: str
    frames: Sequence[JobRequest]


@dataclass(frozen=True)
class Cost:
    """What some jobs took. Times are in seconds."""

    jobs: int = 0
    seconds: float = 0.0
    processor: float = 0.0  # of this process, the daemon's

    @property
    def each(self) -> float:
        return self.seconds / self.jobs

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.jobs + other.jobs, self.seconds + other.seconds, self.processor + other.processor)


def kinds(frames: int, workers: int) -> Sequence[Kind]:
    """What so many workers are measured with: with jobs that do nothing only one, for their overhead."""
    items = (TextItem("a red circle", 1.0), TextItem("a blue square", 0.0))
    drawn = frames_of(Blend(items, width=SIDE, height=SIDE, steps=STEPS), to=(0.0, 1.0), count=frames)
    slept = Blend((TextItem("quick " * SLEEPS, 1.0),), width=SIDE, height=SIDE)
    flashed = Blend((TextItem("flash", 1.0),), width=768, height=768)
    stand_in = "tests.daemon.fake_engine:FakeEngine"
    nothing = [Kind("does nothing, 768 px", stand_in, [flashed] * frames)] if workers == 1 else []
    return (
        Kind(f"the small model, {STEPS} steps", "daemon.engine:Engine", drawn),
        Kind(f"sleeps, {SLEEPS} steps of 10 ms", stand_in, [slept] * frames),
        *nothing,
    )


def arguments(engine: str) -> list[str]:
    return [f"--engine={engine}", "--model=embedded", "--device=cpu", "--precision=float32", "--log-level=warning"]


def run_all(executor: Executor, requests: Sequence[JobRequest]) -> Cost:
    """Run jobs as slots become free, and see each done once."""
    started, used = time.monotonic(), time.process_time()
    left = {f"job {n}": request for n, request in enumerate(requests)}
    ended: set[str] = set()
    while len(ended) < len(requests):
        assert time.monotonic() < started + PATIENCE, "the jobs take too long"
        for event in executor.poll():
            assert not isinstance(event, JobFailed | JobGivenBack), event
            if isinstance(event, JobDone):
                assert event.job not in ended
                ended.add(event.job)
        while left and executor.free_slots(""):
            executor.run(*left.popitem())
        select.select([executor], [], [], TICK)
    return Cost(len(requests), time.monotonic() - started, time.process_time() - used)


def warm_up(executor: Executor, slots: int, requests: Sequence[JobRequest]) -> None:
    """Wait for the workers, and have each read its model."""
    deadline = time.monotonic() + PATIENCE
    while executor.free_slots("") < slots:
        assert time.monotonic() < deadline, "the workers do not start"
        list(executor.poll())
        time.sleep(0.01)
    run_all(executor, requests[:1] * (2 * slots))


def alternately(local: Executor, remote: Executor, requests: Sequence[JobRequest]) -> tuple[Cost, Cost]:
    """What the same jobs take on each of two executors of one worker."""
    near = far = Cost()
    for turn in range(ROUNDS):
        near += run_all(local, requests[turn::ROUNDS])
        far += run_all(remote, requests[turn::ROUNDS])
    return near, far


def measure(nodes: Studio, workers: int, kind: Kind) -> tuple[Cost, Cost]:
    """What jobs take on the workers of a cluster, after what they take locally; nothing there for several workers."""
    remote = RayExecutor(nodes.address, arguments(kind.engine), 1, None)
    local = LocalExecutor(arguments(kind.engine))
    try:
        warm_up(remote, workers, kind.frames)
        if workers > 1:
            return Cost(), run_all(remote, kind.frames)
        warm_up(local, 1, kind.frames)
        return alternately(local, remote, kind.frames)
    finally:
        local.stop()
        remote.stop()


def report(frames: int) -> Iterator[str]:
    """The lines of the table, each as soon as it is known."""
    yield f"{frames} frames of {SIDE} px a row; {processor()}, {os.cpu_count()} processors, one thread a worker."
    yield f"{os.getloadavg()[0]:.1f} of them were busy on average in the minute before.\n"
    yield HEAD
    ones: dict[str, Cost] = {}
    with studio() as nodes:
        for workers in WORKERS:
            while len(nodes.machines) < workers:
                nodes.join(1)
            for kind in kinds(frames, workers):
                near, far = measure(nodes, workers, kind)
                one = ones.setdefault(kind.name, far)
                if workers == 1:
                    yield row(kind, "local", near, "", "")
                    more = far.each - near.each
                    yield row(kind, "1", far, "1", f"{1000 * more:.0f} ms, {100 * more / near.each:.1f} %")
                else:
                    yield row(kind, str(workers), far, f"{one.each / far.each / workers:.2f}", "")
    yield f"\nAt the end {os.getloadavg()[0]:.1f} processors were busy, this benchmark's own included."


def row(kind: Kind, workers: str, cost: Cost, efficiency: str, beyond: str) -> str:
    own = f"{1000 * cost.processor / cost.jobs:.1f}"
    return f"| {kind.name} | {workers} | {60 / cost.each:.0f} | {efficiency} | {beyond} | {own} |"


def processor() -> str:
    """The name of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    number = parser.parse_args().frames
    os.environ["OMP_NUM_THREADS"] = "1"
    # Else Ray's processes give way to whatever else the machine does.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (Ray's own spelling)
    lines = []
    for line in report(number):
        print(line, flush=True)
        lines.append(line)
    if number == FRAMES:
        RESULTS.write_text("# A sweep on a Ray cluster\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
