"""Sweeps on a real server whose executor has several machines: their jobs end when the test says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs import MAX_WAITING
from plugin_client.client import Client
from plugin_client.sweep import Sweep
from plugin_client.wire.errors import JobCancelled
from plugin_client.wire.messages import Blend, Progress
from tests.daemon.conftest import PATIENCE, blend
from tests.daemon.studio import Studio, machine, serving
from tests.refusals import refused

FRAMES = 6
pytestmark = pytest.mark.usefixtures("home")


def frames(number: int = FRAMES) -> list[Blend]:
    """Of which each has a seed of its own, which the studio's pictures show."""
    return [replace(blend(), seed=n) for n in range(number)]


class Shooting:
    """A sweep on a studio, and all progress that it has told."""

    def __init__(self, studio: Studio, client: Client, number: int = FRAMES) -> None:
        self.studio = studio
        self.client = client
        self.sweep = Sweep(client.submit_blend, frames(number))
        self.told: list[Progress] = []

    def until(self, look: Callable[[], Any], what: str) -> None:
        """Poll until `look` finds something; each frame that runs tells that it has begun."""
        deadline = time.monotonic() + PATIENCE
        while not look():
            assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain until {what}"
            for job in self.running():
                self.studio.advance(job)
            if progress := self.sweep.poll(0.02):
                self.told.append(progress)

    def running(self) -> list[str]:
        return [job for jobs in self.studio.running.values() for job in jobs]

    def until_full(self, slots: int) -> None:
        self.until(lambda: len(self.running()) == slots, f"{slots} frames run side by side")

    def until_one_waits(self, slots: int) -> None:
        self.until(lambda: self.client.ping().waiting == 1 and len(self.running()) == slots, "another frame waits")

    def finish_the_rest(self) -> None:
        """End the newest frame first, again and again."""

        def end_one() -> bool:
            if running := self.running():
                self.studio.finish(running[-1])
            return self.sweep.is_over

        self.until(end_one, "all frames are made")


@contextmanager
def shooting(*slots: int, number: int = FRAMES) -> Iterator[Shooting]:
    studio = Studio(*(machine(f"studio{n}", slots=each) for n, each in enumerate(slots)))
    with serving(studio), Client() as client:
        yield Shooting(studio, client, number)


def test_the_frames_of_a_sweep_run_on_all_machines_and_one_more_waits() -> None:
    with shooting(1, 2) as run:
        run.until_full(3)
        run.until_one_waits(3)
        assert {name: len(jobs) for name, jobs in run.studio.running.items()} == {"studio0": 1, "studio1": 2}
        run.studio.join(machine("guest"))
        run.until_full(4)
        run.finish_the_rest()
        made = run.sweep.result()
    assert [picture.pixels[0] for picture in made.pictures] == list(range(FRAMES))  # in order, whoever was first
    assert len(set(run.studio.started)) == len(run.studio.started) == FRAMES
    parts = [progress.step / progress.steps for progress in run.told]
    assert parts == sorted(parts)
    assert {progress.variation for progress in run.told} >= {0, 1, 2}


def test_a_frame_whose_machine_is_lost_is_made_on_another_and_arrives_once() -> None:
    with shooting(1, 1) as run:
        run.until_full(2)
        lost = run.studio.running["studio1"][0]
        run.studio.lose("studio1")
        run.finish_the_rest()
        made = run.sweep.result()
    assert [picture.pixels[0] for picture in made.pictures] == list(range(FRAMES))
    assert run.studio.started.count(lost) == 2
    parts = [progress.step / progress.steps for progress in run.told]
    assert parts == sorted(parts)  # also where a frame begins anew


def test_stop_ends_all_frames_that_run_and_wait() -> None:
    with shooting(2) as run:
        run.until_full(2)
        run.until_one_waits(2)
        run.studio.finish(run.studio.started[1])
        run.until(run.sweep.finished, "one is done")
        assert list(run.sweep.finished()) == [1]
        before = set(run.running())
        run.sweep.cancel()
        assert before & set(run.studio.cancelled)
        run.finish_the_rest()
        with refused(JobCancelled, "cancelled", frames=FRAMES):
            run.sweep.result()
        assert len(run.studio.started) <= 3  # the one that waited never ran, unless it had begun before the stop


def test_a_sweep_waits_where_the_queue_of_its_client_is_full(home: Path) -> None:
    with shooting(1) as run:
        run.until_full(1)
        others = []
        while run.client.ping().waiting < MAX_WAITING:
            others.append(run.client.submit_blend(blend()))
        run.finish_the_rest()
        made = run.sweep.result()
        assert len(made.pictures) == FRAMES
