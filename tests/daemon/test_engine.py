"""The engine on a tiny model, in this process."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from daemon.engine import Engine, JobEvent
from daemon.errors import JobError
from daemon.executors.base import Embedding, JobAdvanced, JobDone, JobEmbedded
from daemon.executors.channel import pack, unpack
from kandinsky_backend import families
from plugin_client.wire import codec
from plugin_client.wire.limits import MAX_NOTE_CHARS, MAX_TEXT_CHARS
from plugin_client.wire.messages import (
    AnyRequest,
    Blend,
    Picture,
    PictureItem,
    Refine,
    Repaint,
    Result,
    TextItem,
    Upscale,
)
from plugin_client.wire.recipe import parse_recipe
from tests.backend.hub_server import HubSettings, serve
from tests.backend.toy_family import TOY, write_toy_model
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


def events_of(engine: Engine, blend: AnyRequest) -> list[JobEvent]:
    """All events of a job. The result is checked to be what the wire carries."""
    *steps, done = engine.run(new_id(), blend)
    assert isinstance(done, JobDone)
    codec.encode(Result(done.job, done.pictures, done.recipe, done.warnings), 1)
    return [*steps, done]


def result_of(engine: Engine, blend: AnyRequest) -> JobDone:
    *_, last = events_of(engine, blend)
    assert isinstance(last, JobDone)
    return last


def failure_of(engine: Engine, blend: AnyRequest) -> JobError:
    with pytest.raises(JobError) as failure:
        events_of(engine, blend)
    return failure.value


def test_a_blend_becomes_a_picture_and_its_recipe(engine: Engine) -> None:
    result = result_of(engine, small(seed=3))
    assert [(picture.width, picture.height, picture.channels) for picture in result.pictures] == [(64, 64, 3)]
    assert (result.recipe["seed"], result.recipe["items"]) == (
        3,
        [{"kind": "text", "text": "a cat", "weight": 1.0}],
    )
    assert result.warnings == ()
    assert parse_recipe(result.recipe).plain() == result.recipe


def test_what_another_process_has_embedded_is_taken_as_it_is(tiny_checkpoint: Path) -> None:
    def embedded(events: Sequence[JobEvent]) -> tuple[Embedding, ...]:
        return tuple(one for event in events if isinstance(event, JobEmbedded) for one in event.embeddings)

    def stages(events: Sequence[JobEvent]) -> set[str]:
        return {event.stage for event in events if isinstance(event, JobAdvanced)} - {"loading"}

    alone, helped = (Engine([str(tiny_checkpoint)], "cpu", "float32", memory=None) for _ in range(2))
    night = PictureItem(Picture(2, 2, 3, bytes(range(12))), 0.5)
    asked = small(items=(TextItem("a cat", 1.0), night), negative="dull", count=2)
    first = list(alone.run(new_id(), asked))
    sent = [unpack(pack(event)) for event in first if isinstance(event, JobEmbedded)]
    known = embedded(sent)
    assert known == embedded(first)
    assert len(known) == 4  # two prompts, the picture and the decoder prompt

    second = list(helped.run(new_id(), asked, known))
    assert (stages(second), embedded(second)) == ({"denoising", "decoding"}, ())
    assert first[-1].pictures == second[-1].pictures
    assert embedded(list(alone.run(new_id(), asked))) == known  # also of what it has kept


def test_the_longest_prompt_gives_a_warning_that_the_wire_carries(engine: Engine) -> None:
    result = result_of(engine, small("cat " * (MAX_TEXT_CHARS // 4)))
    [warning] = result.warnings
    assert len(warning) < MAX_NOTE_CHARS
    assert "longer than the model reads" in warning


@pytest.mark.parametrize(("width", "height"), [(64, 64), (256, 16)])
def test_previews_come_with_every_nth_step(engine: Engine, width: int, height: int) -> None:
    events = events_of(engine, small(width=width, height=height, steps=4, preview_every=2))
    previews = [event.preview for event in events if isinstance(event, JobAdvanced) and event.preview]
    assert len(previews) == 2
    for preview in previews:
        assert isinstance(preview, Picture)
        assert (preview.width > preview.height) == (width > height)
        assert len(set(preview.pixels)) > 1


# --- models ------------------------------------------------------------------------------------------------------


def test_a_download_is_told_in_bytes(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "hub")
    monkeypatch.setattr("kandinsky_backend.library.GLANCE_SECONDS", 0.01)
    with serve({"someone/model": folder / "decoder", "someone/model-prior": folder / "prior"}) as hub:
        hub.delay = 0.1
        HubSettings(monkeypatch, tmp_path / "home").connect(hub.url)
        events = events_of(Engine(["someone/model"], "cpu", "auto", memory=None), small())
        huggingface_hub.close_session()
    stages = list(dict.fromkeys(event.stage for event in events if isinstance(event, JobAdvanced)))
    assert stages[:2] == ["loading", "downloading"]
    told = [event for event in events if isinstance(event, JobAdvanced) and event.stage == "downloading"]
    assert len({event.steps for event in told}) == 1  # of the whole model
    assert all(0 <= event.step <= event.steps for event in told)
    assert any(event.remaining > 0 for event in told)
    assert isinstance(events[-1], JobDone)


def test_a_model_that_was_removed_leaves_the_memory_with_the_next_job(tiny_checkpoint: Path, tmp_path: Path) -> None:
    doomed = shutil.copytree(tiny_checkpoint, tmp_path / "doomed")
    engine = Engine([str(tiny_checkpoint), str(doomed)], "cpu", "auto", memory=None)
    assert result_of(engine, small())
    assert result_of(engine, small(model=str(doomed)))
    both = engine._residency.loaded_bytes
    shutil.rmtree(doomed)
    assert result_of(engine, small())
    assert engine._residency.loaded_bytes < both


def test_the_models_on_offer_are_told_at_each_stage_without_looking_at_the_disk(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert result_of(engine, small())
    monkeypatch.setattr(families, "locate", lambda name: pytest.fail("looked"))
    assert engine.models()


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
        if isinstance(event, JobAdvanced):
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


def test_an_engine_that_is_prepared_knows_the_weights_of_its_default_model_and_has_read_none() -> None:
    engine = Engine([EMBEDDED], "cpu", "auto", memory=None)
    assert [model.hash for model in engine.models()] == [""]
    engine.prepare()
    [offered] = engine.models()
    assert (len(offered.hash), offered.loaded) == (64, False)


def test_preparing_an_engine_downloads_nothing_and_hides_no_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(families.Family, "pipeline", lambda *_: pytest.fail("opened"))
    Engine(["someone/model"], "cpu", "auto", memory=None).prepare()
    Engine([str(tmp_path / "gone")], "cpu", "auto", memory=None).prepare()
    assert "no model is called" in caplog.text


def test_the_embedded_model_takes_the_steps_that_it_says_where_none_are_asked_for() -> None:
    engine = Engine([EMBEDDED], "cpu", "auto", memory=None)
    [offered] = engine.models()
    result = result_of(engine, Blend((TextItem("a red circle", 1.0),), width=64, height=64, prior_steps=2, seed=3))
    assert (offered.sampler, offered.steps) == ("dpm++_karras", 12)
    assert (result.recipe["sampler"], result.recipe["steps"]) == (offered.sampler, offered.steps)


def test_a_model_of_another_family_is_offered_and_blends(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families, "FAMILIES", (TOY, *families.FAMILIES))
    write_toy_model(tmp_path / "toy", tiny_checkpoint)
    engine = Engine([str(tmp_path / "toy")], "cpu", "auto", memory=None)
    [offered] = engine.models()
    assert (offered.side, offered.source) == (TOY.side, str(tmp_path / "toy" / "decoder"))
    assert (offered.family, offered.jobs) == ("toy", ("blend",))
    result = result_of(engine, Blend((TextItem("a cat", 1.0),), steps=2, prior_steps=2))
    assert [(picture.width, picture.height) for picture in result.pictures] == [(TOY.side, TOY.side)]
    failure = failure_of(engine, Repaint((), SOURCE, MASK))
    assert (failure.code, str(failure)) == ("bad-request", "the model 'toy/' does no repaint jobs; it can do: blend")


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


def test_a_job_of_a_kind_that_the_model_cannot_do_is_a_bad_request_before_anything_is_loaded(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = families.locate(str(tiny_checkpoint))
    unable = replace(source, family=replace(source.family, jobs=()))
    monkeypatch.setattr(families, "locate", lambda name: unable)
    engine = Engine([str(tiny_checkpoint)], "cpu", "auto", memory=None)
    events = engine.run(new_id(), small())
    with pytest.raises(JobError) as failure:
        next(events)
    assert failure.value.code == "bad-request"
    assert engine.models()[0].jobs == ()


def test_a_mistake_in_the_model_is_no_bad_request(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ValueError("C++ call stack")

    monkeypatch.setattr("kandinsky_backend.pipelines.decoder.KandinskyPipeline.decode", stumble)
    with pytest.raises(ValueError, match="call stack"):
        events_of(engine, small())


# --- pictures into which is drawn --------------------------------------------------------------------------------

SOURCE = Picture(20, 12, 3, bytes(n * 7 % 256 for n in range(20 * 12 * 3)))
MASK = Picture(20, 12, 1, bytes(255 if 8 <= n % 20 < 12 else 0 for n in range(20 * 12)))
QUICK = {"steps": 2, "prior_steps": 2, "width": 64, "height": 64}


def changed(made: Picture) -> set[int]:
    """The numbers of the pixels that are not those of SOURCE."""
    old, new = ([picture.pixels[at : at + 3] for at in range(0, len(picture.pixels), 3)] for picture in (SOURCE, made))
    return {n for n, (before, after) in enumerate(zip(old, new, strict=True)) if before != after}


@pytest.mark.parametrize("items", [(), (TextItem("a cat", 1.0),)])
def test_a_repaint_changes_what_is_masked_and_nothing_else(engine: Engine, items: tuple[TextItem, ...]) -> None:
    repaint = Repaint(items, SOURCE, MASK, **QUICK)
    result = result_of(engine, repaint)
    [made] = result.pictures
    assert changed(made)
    assert changed(made) <= {n for n, value in enumerate(MASK.pixels) if value}
    recipe = parse_recipe(result.recipe)
    assert recipe.plain() == result.recipe
    assert recipe.redraw(SOURCE, MASK).strength == 1.0
    again = replace(recipe.redraw(SOURCE, MASK), model="")  # its folder has another name here
    assert result_of(engine, again).pictures == result.pictures


@pytest.mark.parametrize(
    ("strength", "resamplings", "count", "denoised"), [(0.3, 1, 1, 3), (0.01, 1, 2, 2), (1.0, 2, 1, 20)]
)
def test_the_steps_that_will_run_are_told_with_the_first_progress(
    engine: Engine, strength: float, resamplings: int, count: int, denoised: int
) -> None:
    """And their previews show the source without what fills the model's canvas around it."""
    told = {"strength": strength, "resamplings": resamplings, "count": count, "preview_every": 1}
    repaint = Repaint((), SOURCE, MASK, **(QUICK | {"steps": 10} | told))
    result_of(engine, repaint)  # what is the same for all strengths is cached
    *steps, _ = [event for event in events_of(engine, repaint) if isinstance(event, JobAdvanced)]
    encoding, decoding = 1, count
    assert {step.steps for step in steps} == {encoding + denoised + decoding}
    previews = [step.preview for step in steps if step.preview]
    assert [(preview.width, preview.height) for preview in previews] == [(64, 48)] * denoised


def test_a_refinement_has_the_size_of_its_source_and_without_strength_is_the_source(engine: Engine) -> None:
    refine = Refine((TextItem("a cat", 1.0),), SOURCE, strength=0.5, preview_every=1, **QUICK)
    *steps, done = events_of(engine, refine)
    assert isinstance(done, JobDone)
    assert changed(done.pictures[0])
    assert parse_recipe(done.recipe).plain() == done.recipe
    previews = [step.preview for step in steps if isinstance(step, JobAdvanced) and step.preview]
    assert [(preview.width, preview.height) for preview in previews if preview] == [(64, 48)]  # half of two steps
    assert result_of(engine, replace(refine, strength=0.0)).pictures == (SOURCE,)


def test_an_upscaling_has_the_size_that_was_asked_for_and_its_previews_show_the_whole(engine: Engine) -> None:
    upscale = Upscale((), SOURCE, 150, 100, strength=0.5, preview_every=1, **(QUICK | {"width": 64, "height": 64}))
    *steps, done = events_of(engine, upscale)
    assert isinstance(done, JobDone)
    assert [(made.width, made.height, made.channels) for made in done.pictures] == [(150, 100, SOURCE.channels)]
    assert parse_recipe(done.recipe).plain() == done.recipe
    told = [step for step in steps if isinstance(step, JobAdvanced)]
    assert (told[-1].step, {step.steps for step in told}) == (told[-1].steps, {told[-1].steps})
    assert {(step.preview.width > step.preview.height) for step in told if step.preview} == {True}


def test_a_job_that_takes_more_memory_than_there_is_is_refused_before_it_starts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kandinsky_backend.blend.footprint.available_memory", lambda: 10**6)
    failure = failure_of(engine, small(width=1024, height=1024))
    assert (failure.code, "and 1 MB are free here" in str(failure)) == ("out-of-memory", True)
