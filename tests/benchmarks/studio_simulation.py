"""`python -m tests.benchmarks.studio_simulation`: 64 workers and 2,000 jobs of 8 clients, with a stand-in for workers.

It is the daemon's own load: the queue, the store in memory and the machines. One client asks for as much as it may at
any time, the others now and then.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from concurrent.futures import Future
from dataclasses import dataclass

from daemon.jobs import MAX_WAITING
from daemon.metrics import Metrics
from daemon.scheduler import Scheduler
from daemon.store import MemoryStore
from tests.daemon.conftest import blend, new_id
from tests.daemon.studio import MODEL, Studio, machine

MACHINES, SLOTS, JOBS, CLIENTS = 16, 4, 2000, 8
GREEDY = "client 0"


@dataclass(frozen=True)
class Outcome:
    """Of a simulation. `waits` are in turns of the daemon: the mean of each client's jobs from submit to start."""

    jobs: int
    processor: float  # s a job
    growth: int  # bytes, from the first half of the jobs to the second
    waits: dict[str, float]


def simulate(machines: int = MACHINES, jobs: int = JOBS, seed: int = 1) -> Outcome:
    """Run jobs to their ends; each takes some turns."""
    random_numbers = random.Random(seed)
    studio = Studio(*(machine(f"node {n}", slots=SLOTS) for n in range(machines)))
    scheduler = Scheduler(studio, MemoryStore(), [MODEL], Metrics())
    submitted: dict[str, tuple[str, int]] = {}  # client and turn
    waits: dict[str, list[int]] = {}
    tracemalloc.start()
    used, turn, half = 0.0, 0, 0
    done: set[str] = set()
    while len(done) < jobs:
        turn += 1
        began = time.process_time()
        for client in _asking(scheduler, random_numbers):
            if len(submitted) < jobs:
                submitted[job := new_id()] = client, turn
                scheduler.submit(job, blend(), client, owner="", then=Future.result)
        turned(scheduler)
        used += time.process_time() - began
        for running in [job for names in studio.running.values() for job in names]:
            started = waits.setdefault(running, [turn])[0]
            if started < turn and random_numbers.random() < 0.5:
                studio.finish(running)
                done.add(running)
        began = time.process_time()
        turned(scheduler)
        for job_id in done & {job.id for job in scheduler.jobs.all() if job.is_over}:
            scheduler.release(scheduler.get(job_id), then=Future.result)
        used += time.process_time() - began
        if not half and len(done) >= jobs // 2:
            half = tracemalloc.get_traced_memory()[0]
    growth = tracemalloc.get_traced_memory()[0] - half
    tracemalloc.stop()
    scheduler.close()
    studio.stop()
    return Outcome(len(done), used / len(done), growth, _means(submitted, waits))


def turned(scheduler: Scheduler) -> None:
    """Let the scheduler turn until it has started all that it can."""
    scheduler.settle()
    for _ in range(SLOTS):
        scheduler.turn()
        scheduler.settle()


def _asking(scheduler: Scheduler, random_numbers: random.Random) -> list[str]:
    waiting = sum(job.record.client == GREEDY for job in scheduler.jobs.waiting())
    others = [f"client {n}" for n in range(1, CLIENTS) if random_numbers.random() < 0.3]
    return [*others, *[GREEDY] * (MAX_WAITING - waiting)]


def _means(submitted: dict[str, tuple[str, int]], starts: dict[str, list[int]]) -> dict[str, float]:
    waits: dict[str, list[int]] = {}
    for job, (client, turn) in submitted.items():
        waits.setdefault(client, []).append(starts[job][0] - turn)
    return {client: sum(found) / len(found) for client, found in sorted(waits.items())}


def main() -> None:
    outcome = simulate()
    print(
        f"{outcome.jobs} jobs on {MACHINES * SLOTS} workers: {1000 * outcome.processor:.2f} ms of the processor a job"
    )
    print(f"memory grew by {outcome.growth / 1000:.0f} kB in the second half, the simulation's own records included")
    for client, wait in outcome.waits.items():
        print(f"{client}{' (asks for all it may)' if client == GREEDY else ''}: waits for {wait:.1f} turns")


if __name__ == "__main__":
    main()
