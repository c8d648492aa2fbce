"""The engine on a tiny model, in this process."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from daemon.engine import Engine
from daemon.errors import JobError
from plugin_client.wire import codec
from plugin_client.wire.limits import MAX_NOTE_CHARS, MAX_TEXT_CHARS
from plugin_client.wire.messages import Blend, Picture, Progress, Result, TextItem
from tests.daemon.conftest import new_id

NO_MODEL = "no-such-model"
EMBEDDED = "embedded"


@pytest.fixture(scope="module")
def engine(tiny_checkpoint: Path) -> Engine:
    """An engine that offers a model, and a name that is none."""
    return Engine([str(tiny_checkpoint), NO_MODEL], "cpu", "auto", memory=None)


def small(text: str = "a cat", **settings: Any) -> Blend:
    return Blend(
        **{"items": (TextItem(text, 1.0),), "width": 64, "height": 64, "steps": 2, "prior_steps": 2} | settings
    )


def events_of(engine: Engine, blend: Blend) -> list[Progress | Result]:
    """All that a job gives, each checked to be what the wire carries."""
    events = list(engine.run(new_id(), blend))
    for event in events:
        codec.encode(event, 1)
    return events


def result_of(engine: Engine, blend: Blend) -> Result:
    *_, last = events_of(engine, blend)
    assert isinstance(last, Result)
    return last


def failure_of(engine: Engine, blend: Blend) -> JobError:
    with pytest.raises(JobError) as failure:
        events_of(engine, blend)
    return failure.value


def test_a_blend_becomes_a_picture_and_its_recipe(engine: Engine) -> None:
    result = result_of(engine, small(seed=3))
    assert [(picture.width, picture.height, picture.channels) for picture in result.pictures] == [(64, 64, 3)]
    assert (result.recipe["seed"], result.recipe["items"]) == (3, [{"text": "a cat", "weight": 1.0}])
    assert result.warnings == ()


def test_the_longest_prompt_gives_a_warning_that_the_wire_carries(engine: Engine) -> None:
    result = result_of(engine, small("cat " * (MAX_TEXT_CHARS // 4)))
    [warning] = result.warnings
    assert len(warning) < MAX_NOTE_CHARS
    assert "longer than the model reads" in warning


@pytest.mark.parametrize(("width", "height"), [(64, 64), (256, 16)])
def test_previews_come_with_every_nth_step(engine: Engine, width: int, height: int) -> None:
    events = events_of(engine, small(width=width, height=height, steps=4, preview_every=2))
    previews = [event.preview for event in events if isinstance(event, Progress) and event.preview]
    assert len(previews) == 2
    for preview in previews:
        assert isinstance(preview, Picture)
        assert (preview.width > preview.height) == (width > height)
        assert len(set(preview.pixels)) > 1


# --- models ------------------------------------------------------------------------------------------------------


def test_a_name_that_is_no_model_fails_its_own_jobs_only(engine: Engine) -> None:
    failure = failure_of(engine, small(model=NO_MODEL))
    assert failure.code == "load-failed"
    assert "no model is called 'no-such-model'" in str(failure)
    assert result_of(engine, small())


def test_a_name_that_is_no_model_is_told_at_the_start(tiny_checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        engine = Engine([str(tiny_checkpoint), NO_MODEL], "cpu", "auto", memory=None)
    [record] = caplog.records
    assert "jobs on the model no-such-model will fail: no model is called 'no-such-model'" in record.getMessage()
    good, bad = engine.models()
    assert (good.note, good.source) == ("", str(tiny_checkpoint / "decoder"))
    assert "no model is called" in bad.note


def test_a_model_counts_as_loaded_while_its_weights_are_in_memory(tiny_checkpoint: Path) -> None:
    engine = Engine([str(tiny_checkpoint)], "cpu", "auto", memory=1)  # of all parts the last used stays, alone
    assert [(model.hash, model.loaded) for model in engine.models()] == [("", False)]
    seen = {}
    for event in engine.run(new_id(), small()):
        [model] = engine.models()
        if isinstance(event, Progress):
            seen[event.stage] = model.loaded
    assert seen["denoising"]
    assert (model.hash != "", model.loaded) == (True, False)  # the last to be used has decoded


def test_the_embedded_model_has_a_size_of_its_own_and_says_that_it_is_small() -> None:
    engine = Engine([EMBEDDED], "cpu", "auto", memory=None)
    [offered] = engine.models()
    result = result_of(engine, Blend((TextItem("a red circle", 1.0),), steps=2, prior_steps=2, seed=3))
    side = (offered.side, offered.side)
    assert [(picture.width, picture.height) for picture in result.pictures] == [side]
    assert (result.recipe["width"], result.recipe["height"], result.recipe["model"]) == (*side, EMBEDDED)
    assert result.warnings == (offered.note,)
    assert "small" in offered.note


def test_a_config_that_no_model_implements_is_a_failed_load(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "m")
    config = tmp_path / "m" / "decoder" / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"resnet_time_scale_shift": "default"}))
    failure = failure_of(Engine([str(tmp_path / "m")], "cpu", "auto", memory=None), small())
    assert (failure.code, "resnet_time_scale_shift" in str(failure)) == ("load-failed", True)


# --- errors ------------------------------------------------------------------------------------------------------


def test_a_blend_without_a_meaning_is_a_bad_request(engine: Engine) -> None:
    failure = failure_of(engine, small(items=(TextItem("a cat", 0.0),)))
    assert failure.code == "bad-request"


def test_a_mistake_in_the_model_is_no_bad_request(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ValueError("C++ call stack")

    monkeypatch.setattr("kandinsky_backend.decoder_pipeline.KandinskyPipeline.decode", stumble)
    with pytest.raises(ValueError, match="call stack"):
        events_of(engine, small())
