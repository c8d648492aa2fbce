"""Sweeps: blends that are made one after the other as if they were one job."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from plugin_client.client import Client, make_blend
from plugin_client.sweep import Sweep, frames_of
from plugin_client.wire.errors import JobCancelled, JobFailed, UsageError
from plugin_client.wire.messages import Blend, Cancel, DaemonMessage, Failed, Progress, Release, Submit
from tests.client.scripted_daemon import Script, ScriptedDaemon, result
from tests.refusals import refused


def blend(*weights: float, **settings: Any) -> Blend:
    items = [(f"item {n}", weight) for n, weight in enumerate(weights)]
    return make_blend(items, size=(32, 16), **{"seed": 7, **settings})


def weights(frame: Blend) -> list[float]:
    return [item.weight for item in frame.items]


def test_the_weights_move_from_the_first_set_to_the_second_in_even_steps() -> None:
    frames = frames_of(blend(1.0, 0.1, -0.5), (0.0, 0.3, -0.5), 3)
    assert [weights(frame) for frame in frames] == [[1, 0.1, -0.5], [0.5, 0.2, -0.5], [0, 0.3, -0.5]]


def test_the_weights_and_the_count_may_be_numpy_s() -> None:
    frames = frames_of(blend(1.0, 0.5), np.array([0.0, 0.5]), np.int64(3))
    assert [weights(frame) for frame in frames] == [[1, 0.5], [0.5, 0.5], [0, 0.5]]
    assert {type(weight) for frame in frames for weight in weights(frame)} == {float}


def test_nothing_but_the_weights_differs() -> None:
    first, last = frames_of(make_blend([("a cat", 1), ("a sky", 0.5)]), (0.5, 1), 2)
    assert first.seed == last.seed
    assert {name for name in vars(first) if getattr(first, name) != getattr(last, name)} == {"items"}


@pytest.mark.parametrize(
    ("given", "to", "count", "sentence"),
    [
        (blend(1.0), (0.5,), 1, "frames is 1: must be a whole number from 2 to 200"),
        (blend(1.0), (0.5,), 201, "frames is 201: must be a whole number from 2 to 200"),
        (blend(1.0, 2.0), (0.5,), 2, "to has 1 weights, and there are 2 items: give one for each"),
        (blend(1.0), (1001,), 2, "to[0] is 1001: must be a number from -1000 to 1000"),
        (
            blend(1.0),
            (1,),
            2,
            "the weights at the end (to) are those at the start: a sweep needs at least one that moves",
        ),
        (blend(1.0), ("1",), 2, "to[0] is '1': must be a number from -1000 to 1000"),
        (blend(1.0, count=2), (0.5,), 2, "count is 2: a frame of a sweep is one picture, so it must be 1"),
        (
            blend(1.0),
            (-1.0,),
            5,
            "frame 3 of 5 cannot be made: items have no weight: at least one must not be 0",
        ),
    ],
)
def test_what_is_no_sweep_is_refused_by_name(given: Blend, to: Any, count: int, sentence: str) -> None:
    with pytest.raises(UsageError) as refusal:
        frames_of(given, to, count)
    assert str(refusal.value) == sentence


class Colours(Script):
    """The picture of a frame shows the weight of its second item. Its first frame has more steps than the others."""

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        steps = 4 if len(self.submitted) == 1 else 2
        told = [Progress(submit.job, "denoising", n, steps, 0, float(n), float(steps - n)) for n in range(1, steps)]
        return [*told, self.end(submit)]

    def end(self, submit: Submit) -> DaemonMessage:
        made = result(submit)
        colour = bytes((round(100 * submit.request.items[1].weight), 0, 0))
        (picture,) = made.pictures
        return type(made)(
            submit.job, (type(picture)(32, 16, 3, colour * 32 * 16),), made.recipe, warnings=("the prompt was cut",)
        )


@pytest.fixture
def script() -> Script:
    return Colours()


@pytest.fixture
def client(script: Script) -> Iterable[Client]:
    with ScriptedDaemon(script), Client() as client:
        yield client


def test_the_pictures_come_in_order_each_with_its_recipe(client: Client) -> None:
    made = Sweep(client.submit_blend, frames_of(blend(1.0, 0.1), (0.0, 0.3), 3)).result()
    assert [image.getpixel((0, 0)) for image in made.images] == [(10, 0, 0), (20, 0, 0), (30, 0, 0)]
    assert [recipe["seed"] for recipe in made.recipes] == [7, 7, 7]
    assert made.warnings == ("the prompt was cut",)


def test_progress_is_of_the_whole_and_never_goes_back(client: Client) -> None:
    told = list(Sweep(client.submit_blend, frames_of(blend(1.0, 0.1), (0.0, 0.3), 3)).watch())
    parts = [progress.step / progress.steps for progress in told]
    assert parts == sorted(parts)
    assert parts == pytest.approx([1 / 12, 2 / 12, 3 / 12, 3 / 6, 5 / 6])
    assert [progress.variation for progress in told] == [0, 0, 0, 1, 2]
    assert all(before.elapsed <= after.elapsed for before, after in pairwise(told))
    assert [progress.remaining for progress in told] == [3 + 8, 2 + 8, 1 + 8, 1 + 4, 1]


def test_the_daemon_keeps_every_frame_until_the_sweep_is_released(client: Client, script: Script) -> None:
    sweep = Sweep(client.submit_blend, frames_of(blend(1.0, 0.1), (0.0, 0.3), 3))
    sweep.result()
    assert not any(isinstance(message, Release) for message in script.asked)
    sweep.release()
    assert {message.job for message in script.asked if isinstance(message, Release)} == set(script.submitted)


def test_stop_ends_the_frames_that_the_daemon_has_and_submits_no_other(client: Client, script: Script) -> None:
    sweep = Sweep(client.submit_blend, frames_of(blend(1.0, 0.1), (0.0, 0.3), 3))
    while len(script.submitted) < 2:
        sweep.poll(5)
    sweep.cancel()
    with refused(JobCancelled, "cancelled", done=2, frames=3):  # those were made before it was asked
        sweep.result()
    assert sweep.is_over
    assert len(script.submitted) == 2
    assert any(isinstance(message, Cancel) for message in script.asked)


def test_a_frame_that_fails_ends_the_sweep_with_its_reason(client: Client, script: Script) -> None:
    end = script.end
    script.end = lambda submit: (  # type: ignore[method-assign]
        Failed(submit.job, "out-of-memory", "no room") if len(script.submitted) == 2 else end(submit)
    )
    sweep = Sweep(client.submit_blend, frames_of(blend(1.0, 0.1), (0.0, 0.3), 9))
    with refused(JobFailed, "out-of-memory") as caught:
        sweep.result()
    assert caught.value.sentence == "no room"
    assert len(script.submitted) <= 3  # the one after it may have been on its way
    sweep.discard()
    assert {message.job for message in script.asked if isinstance(message, Release)} == set(script.submitted)
