"""Drafts are drawn when weights rest, are given up when they move on, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugin_client.drafts import DRAFT_SAMPLER, DRAFT_STEPS, MOST_PIXELS, draft_of
from plugin_client.editor.background import Background
from plugin_client.editor.drafts import SLOW_SECONDS, Draft, Drafts, TooSlow
from plugin_client.editor.exploration import Exploration
from plugin_client.editor.geometry import Area
from plugin_client.editor.pending_jobs import lock_abandoned
from plugin_client.editor.requests import GenerateRequest
from plugin_client.wire.errors import DaemonNotRunning
from plugin_client.wire.messages import Blend, Cancel, DaemonMessage, Picture, Progress, Release, Submit, TextItem
from tests.client.scripted_daemon import Script, ScriptedDaemon
from tests.editor.conftest import HandLoop

BLEND = Blend((TextItem("a cat", 1.0),), width=32, height=16, seed=7, count=4, preview_every=3)
REQUEST = GenerateRequest((BLEND,), Area(0, 0, 32, 16))


class Slow(Script):
    """A daemon whose jobs run until they are cancelled, and which says that they take long."""

    seconds = 1.0

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        return [Progress(submit.job, "denoising", 4, 8, 0, 0.1, self.seconds / 2)]


def drafts_of(background: Background, loop: HandLoop, ends: list[Any]) -> Drafts:
    return Drafts(background, loop, lambda: REQUEST, ends.append)


def submitted(script: Script) -> list[Blend]:
    return [message.request for message in script.asked if isinstance(message, Submit)]


def test_a_draft_has_few_steps_and_all_else_that_the_embeddings_and_the_noise_are_made_of() -> None:
    draft = draft_of(BLEND)
    assert (draft.steps, draft.sampler, draft.count, draft.preview_every) == (DRAFT_STEPS, DRAFT_SAMPLER, 1, 0)
    assert replace(draft, steps=0, sampler="auto", count=4, preview_every=3) == BLEND


def test_of_fewer_steps_a_draft_is_the_result_itself() -> None:
    few = replace(BLEND, steps=2, count=1, preview_every=0)
    assert draft_of(few) == few


@pytest.mark.parametrize("size", [(768, 768), (2048, 1024), (2048, 16)])
def test_a_draft_of_a_large_picture_is_small_and_has_its_shape(size: tuple[int, int]) -> None:
    draft = draft_of(replace(BLEND, width=size[0], height=size[1]))
    assert draft.width * draft.height <= 1.01 * MOST_PIXELS
    assert draft.width / draft.height == pytest.approx(size[0] / size[1], rel=0.02)


def test_a_draft_is_drawn_once_all_rests_and_leaves_nothing_behind(
    background: Background, loop: HandLoop, script: Script
) -> None:
    ends: list[Any] = []
    drafts = drafts_of(background, loop, ends)
    drafts.move()
    drafts.move()
    assert loop.repeats == 1
    loop.tick()
    loop.run_until(lambda: ends)
    assert isinstance(ends[0], Draft)
    assert (ends[0].picture.width, ends[0].picture.height) == (32, 16)
    assert submitted(script) == [draft_of(BLEND)]
    loop.run_until(lambda: any(isinstance(message, Release) for message in script.asked))
    assert lock_abandoned() == []
    loop.tick()  # it rests still: nothing more is drawn
    assert loop.repeats == 0


def test_moving_on_gives_a_draft_up(background: Background, loop: HandLoop, home: Path) -> None:
    script, ends = Slow(), []
    with ScriptedDaemon(script):
        drafts = drafts_of(background, loop, ends)
        drafts.move()
        loop.tick()
        loop.run_until(lambda: submitted(script))
        drafts.move()
        loop.run_until(lambda: any(isinstance(message, Cancel) for message in script.asked))
        drafts.cancel()
        loop.tick()
    assert ends == []
    assert len(submitted(script)) == 1


def test_a_slow_draft_is_given_up_unless_it_is_wanted(background: Background, loop: HandLoop, home: Path) -> None:
    script, ends = Slow(), []
    script.seconds = 2 * SLOW_SECONDS
    with ScriptedDaemon(script):
        drafts = drafts_of(background, loop, ends)
        drafts.move()
        loop.tick()
        loop.run_until(lambda: ends)
        assert ends == [TooSlow(pytest.approx(2 * SLOW_SECONDS))]
        drafts.are_slow_ones_wanted = True
        drafts.move()
        loop.tick()
        loop.run_until(lambda: len(submitted(script)) == 2)
        drafts.cancel()
    assert len(ends) == 1


def test_the_drafts_of_a_sheet_come_one_after_the_other(background: Background, loop: HandLoop, script: Script) -> None:
    pictures: list[Picture] = []
    failures: list[Any] = []
    seeds = (7, 8, 9)
    requests = [replace(REQUEST, blends=(replace(BLEND, seed=seed),)) for seed in seeds]
    Exploration(background, requests, pictures.append, failures.append)
    loop.run_until(lambda: len(pictures) == 3)
    assert [picture.pixels[0] for picture in pictures] == [*seeds]
    assert failures == []


def test_a_sheet_that_is_ended_goes_no_further(background: Background, loop: HandLoop, home: Path) -> None:
    script, pictures = Slow(), []
    with ScriptedDaemon(script):
        exploration = Exploration(background, [REQUEST, REQUEST], pictures.append, pictures.append)
        loop.run_until(lambda: submitted(script))
        exploration.end()
        loop.run_until(lambda: any(isinstance(message, Cancel) for message in script.asked))
    assert pictures == []
    assert len(submitted(script)) == 1


def test_a_sheet_ends_with_the_first_draft_that_fails(background: Background, loop: HandLoop) -> None:
    failures: list[Any] = []
    Exploration(background, [REQUEST, REQUEST], failures.append, failures.append)
    loop.run_until(lambda: failures)
    assert [type(failure) for failure in failures] == [DaemonNotRunning]


def test_no_daemon_is_started_for_a_draft(background: Background, loop: HandLoop) -> None:
    ends: list[Any] = []
    drafts = drafts_of(background, loop, ends)
    drafts.move()
    loop.tick()
    loop.run_until(lambda: ends)
    assert isinstance(ends[0], DaemonNotRunning)
