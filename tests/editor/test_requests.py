"""What Generate asks for: one blend, or the frames of a sweep, with a size and the model's name at this daemon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from plugin_client.client import Client
from plugin_client.editor import requests
from plugin_client.editor.geometry import Area
from plugin_client.editor.pending_jobs import Destination, lock_abandoned
from plugin_client.editor.requests import GenerateRequest, RedrawRequest, Submitter
from plugin_client.sweep import Sweep
from plugin_client.wire.errors import NoAnswer, UsageError
from plugin_client.wire.messages import Blend, ModelInfo, Picture, Refine, Repaint, Submit, TextItem
from tests.client.scripted_daemon import Script

AREA = Area(0, 0, 400, 100)
DESTINATION = Destination("key", "", "400 x 100, rgb", AREA)
SMALL = ModelInfo("small", "", "", loaded=True, side=64)


def blend(weight: float = 1.0, **settings: object) -> Blend:
    return Blend((TextItem("a cat", weight),), seed=7, **settings)  # type: ignore[arg-type]


def submitted(script: Script) -> list[Blend]:
    return [message.request for message in script.asked if isinstance(message, Submit)]  # type: ignore[misc]


@pytest.fixture
def submitter(script: Script) -> Iterator[Submitter]:
    with Client() as client:
        submitter = Submitter(client, DESTINATION)
        yield submitter
        submitter.settle(None)


def test_without_a_size_the_model_and_the_area_give_it(script: Script, submitter: Submitter) -> None:
    script.models = (SMALL,)
    GenerateRequest((blend(),), AREA).submit(submitter)
    (sent,) = submitted(script)
    assert (sent.width, sent.height) == (128, 32)


def test_a_given_size_stays(script: Script, submitter: Submitter) -> None:
    script.models = (SMALL,)
    GenerateRequest((blend(width=48, height=64),), AREA).submit(submitter)
    (sent,) = submitted(script)
    assert (sent.width, sent.height) == (48, 64)


def test_a_daemon_that_never_learns_its_size_gets_the_usual_one(
    script: Script, submitter: Submitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "SIDE_SECONDS", 0.2)
    GenerateRequest((blend(),), Area(0, 0, 768, 768)).submit(submitter)
    (sent,) = submitted(script)
    assert (sent.width, sent.height) == (768, 768)


def test_the_model_of_a_recipe_gets_its_name_here(script: Script, submitter: Submitter) -> None:
    script.models = (SMALL, ModelInfo("full", "", "f00d", loaded=True, side=64))
    GenerateRequest((blend(model="elsewhere", model_hash="f00d"),), AREA).submit(submitter)
    (sent,) = submitted(script)
    assert (sent.model, sent.model_hash) == ("full", "f00d")


def test_the_frames_of_a_sweep_share_size_and_model(script: Script, submitter: Submitter) -> None:
    script.models = (SMALL,)
    request = GenerateRequest((blend(1.0), blend(0.5)), AREA)
    work = request.submit(submitter)
    assert isinstance(work, Sweep)
    work.result()
    assert [(sent.width, sent.height, sent.items[0].weight) for sent in submitted(script)] == [
        (128, 32, 1.0),
        (128, 32, 0.5),
    ]
    assert (request.pictures, request.is_sweep) == (2, True)


def test_the_pictures_of_one_blend_are_counted() -> None:
    request = GenerateRequest((blend(count=3),), AREA)
    assert (request.pictures, request.is_sweep) == (3, False)


@pytest.mark.parametrize("model", ["", "small"])
def test_what_the_model_cannot_do_is_refused_by_its_name_and_not_sent(
    script: Script, submitter: Submitter, model: str
) -> None:
    script.models = (replace(SMALL, jobs=("blend", "refine")), replace(SMALL, name="full", jobs=("repaint",)))
    picture, mask = Picture(8, 8, 3, bytes(192)), Picture(8, 8, 1, b"\0\xff" * 32)
    with pytest.raises(UsageError, match="the model small cannot draw into a part of a picture: choose another model"):
        RedrawRequest(Repaint((), picture, mask, model=model)).submit(submitter)
    assert submitted(script) == []
    RedrawRequest(Refine((), picture, model=model)).submit(submitter)
    RedrawRequest(Repaint((), picture, mask, model="full")).submit(submitter)
    assert [sent.kind for sent in submitted(script)] == ["refine", "repaint"]


def test_each_job_is_written_down_with_its_destination_until_it_is_settled(
    script: Script, submitter: Submitter
) -> None:
    job = submitter.submit(blend(width=32, height=32))
    submitter.settle(NoAnswer("silence"))
    (lock,) = lock_abandoned()
    assert (lock.pending.job, lock.pending.destination) == (job.id, DESTINATION)
    lock.settle(None)
    assert lock_abandoned() == []
