"""The product's own meaning of a blend, with a small random model."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections import Counter
from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from kandinsky_backend.blend import (
    Advance,
    Blender,
    BlendOutput,
    BlendRequest,
    Embeds,
    EmbedsCache,
    Identity,
    Notice,
    Picture,
    Text,
)
from kandinsky_backend.blend.task_list import tasks_of
from kandinsky_backend.blend.tasks import Denoise, Workspace
from kandinsky_backend.errors import BlendError
from kandinsky_backend.ops.plans.planned import plans_compute
from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.residency import Residency
from kandinsky_backend.schedulers import DDIMScheduler
from kandinsky_backend.schedulers.samplers import SAMPLERS
from plugin_client.wire.settings import BlendSettings, Sampling
from tests.refusals import refused

CAT = Text("a cat", 0.3)
NIGHT = Text("a starry night over the river", 0.7)
IDENTITY = Identity("tiny", "cafe", "float32", "CPU")


def noise_picture(seed: int, mode: str = "RGB", size: tuple[int, int] = (50, 40)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    return Image.fromarray(pixels, mode)


PICTURE = Picture(noise_picture(1), 0.5, label="noise.png")


@pytest.fixture(scope="module")
def pipelines(tiny_checkpoint):
    prior = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior")
    return prior, KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder")


@pytest.fixture
def blender(pipelines):
    return Blender(*pipelines, IDENTITY, EmbedsCache())


def request_for(*items, **settings) -> BlendRequest:
    small = {"width": 64, "height": 64, "steps": 2, "prior_steps": 2, "seed": 7}
    return BlendRequest(items, BlendSettings(**{**small, **settings}))


def changed(request: BlendRequest, **settings) -> BlendRequest:
    return replace(request, settings=replace(request.settings, **settings))


def made(blender, request) -> list[BlendOutput]:
    return [event for event in blender.run(request) if isinstance(event, BlendOutput)]


def pixels(blender, request) -> np.ndarray:
    (one,) = made(blender, request)
    return np.asarray(one.image)


def test_weight_one_on_one_item_gives_exactly_that_item(blender):
    alone = pixels(blender, request_for(replace(CAT, weight=1.0)))
    beside_others = request_for(replace(CAT, weight=1.0), replace(NIGHT, weight=0.0), replace(PICTURE, weight=0.0))
    assert np.array_equal(alone, pixels(blender, beside_others))
    for blending in ("linear", "spherical"):
        assert np.array_equal(alone, pixels(blender, changed(beside_others, blending=blending)))


def test_a_sampler_changes_the_picture_its_own_name_does_not_and_the_recipe_says_which(blender):
    pictures = {}
    for name in SAMPLERS:
        (one,) = made(blender, request_for(CAT, steps=3, sampler=name))
        assert one.recipe["sampler"] == name
        pictures[name] = np.asarray(one.image)
    assert np.array_equal(pictures["own"], pictures["ddim"])  # the scheduler of this checkpoint
    assert len({picture.tobytes() for picture in pictures.values()}) == len(SAMPLERS) - 1
    assert type(blender.decoder.scheduler) is DDIMScheduler


@pytest.mark.parametrize("name", ["own", "dpm++"])
def test_a_run_that_changes_only_weights_projects_no_text_again(blender, monkeypatch, name):
    request = request_for(CAT, PICTURE, sampler=name)
    pixels(blender, request)
    monkeypatch.setattr(blender.decoder.unet, "project_text", None)
    pixels(blender, replace(request, items=(replace(CAT, weight=0.9), PICTURE)))


def test_what_is_left_to_the_model_is_drawn_and_recorded_as_it_draws_best(pipelines):
    blender = Blender(*pipelines, IDENTITY, EmbedsCache(), sampling=Sampling("dpm++", 3))
    (left,) = made(blender, request_for(CAT, steps=0, sampler="auto"))
    (told,) = made(blender, request_for(CAT, steps=3, sampler="dpm++"))
    assert (left.recipe["sampler"], left.recipe["steps"]) == ("dpm++", 3)
    assert left.recipe == told.recipe
    assert np.array_equal(np.asarray(left.image), np.asarray(told.image))


def test_what_is_drawn_with_is_prepared_while_items_are_embedded_and_changes_no_picture(tiny_checkpoint, blender):
    residency = Residency()
    prior = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior", residency=residency)
    decoder = KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder", residency=residency)
    cold = Blender(prior, decoder, IDENTITY, EmbedsCache())
    request = request_for(CAT)
    expected = pixels(blender, request)
    run = cold.run(request)
    next(run)  # the thread has begun
    [ahead] = [thread for thread in threading.enumerate() if thread.name == "ahead"]
    ahead.join()
    assert all(part.loaded for part in (*decoder.parts_of_denoising, *decoder.parts_of_decoding)) == plans_compute(
        ms.float32
    )
    [made] = [event for event in run if isinstance(event, BlendOutput)]
    assert np.array_equal(np.asarray(made.image), expected)


def test_a_run_that_is_closed_ends_what_was_prepared_for_it(tiny_checkpoint):
    residency = Residency()
    prior = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior", residency=residency)
    decoder = KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder", residency=residency)
    run = Blender(prior, decoder, IDENTITY, EmbedsCache()).run(request_for(CAT))
    next(run)
    run.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_the_order_of_items_and_a_cold_cache_change_nothing(pipelines, blender):
    warm = [pixels(blender, request_for(CAT, NIGHT)) for _ in range(2)]
    cold = pixels(Blender(*pipelines, IDENTITY, EmbedsCache()), request_for(CAT, NIGHT))
    swapped = pixels(blender, request_for(NIGHT, CAT))
    assert np.array_equal(warm[0], warm[1])
    assert np.array_equal(warm[0], cold)
    # The sum is taken in another order: the last bit of an embedding may differ.
    assert np.abs(warm[0].astype(int) - swapped).max() <= 1


def test_changing_only_weights_runs_no_encoder_and_no_prior(blender, monkeypatch):
    calls = Counter()

    def counted(name, run):
        def wrapper(self, *args, **kwargs):
            calls[name] += 1
            return run(self, *args, **kwargs)

        return wrapper

    for kind, names in (
        (type(blender.prior.prior), ["construct"]),
        (type(blender.prior.image_encoder), ["construct"]),
        (type(blender.prior.text_encoder), ["construct"]),
        (type(blender.decoder.text_encoder), ["construct"]),
        (type(blender.decoder.unet), ["construct"]),
    ):
        for name in names:
            monkeypatch.setattr(kind, name, counted(kind.__name__, getattr(kind, name)))

    first = pixels(blender, request_for(CAT, PICTURE, negative="low quality"))
    assert set(calls) == {
        "PriorTransformer",
        "CLIPVisionModelWithProjection",
        "CLIPTextModelWithProjection",
        "MultilingualCLIP",
        "UNet2DConditionModel",
    }
    calls.clear()
    moved = request_for(replace(CAT, weight=0.9), replace(PICTURE, weight=-0.2), negative="low quality")
    second = pixels(blender, moved)
    assert calls == {"UNet2DConditionModel": moved.settings.steps}
    assert not np.array_equal(first, second)


def test_another_seed_fit_or_backdrop_is_another_picture(blender):
    see_through = Picture(noise_picture(2, "RGBA", (90, 40)), 1.0)
    base = request_for(see_through)
    pictures = [
        pixels(blender, base),
        pixels(blender, changed(base, seed=8)),
        pixels(blender, request_for(replace(see_through, fit="pad"))),
        pixels(blender, request_for(replace(see_through, fit="stretch"))),
        pixels(blender, request_for(replace(see_through, backdrop=(255, 0, 0)))),
    ]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_variation_n_is_the_same_picture_in_every_job(blender):
    together = [np.asarray(one.image) for one in made(blender, request_for(CAT, NIGHT, count=3))]
    assert len({picture.tobytes() for picture in together}) == 3
    alone = pixels(blender, request_for(CAT, NIGHT, variation=2))
    assert np.array_equal(together[2], alone)


def test_a_recipe_is_plain_data_and_makes_the_picture_again_without_its_sources(pipelines, blender):
    asked = request_for(CAT, PICTURE, blending="spherical", normalise=True, negative="low quality", variation=3)
    (original,) = made(blender, asked)
    recipe = json.loads(json.dumps(original.recipe))
    assert recipe == original.recipe
    assert recipe["model_hash"] == "cafe"
    assert recipe["variation"] == 3

    text, picture = recipe["items"]
    assert text == {"kind": "text", "text": "a cat", "weight": 0.3}
    assert picture["label"] == "noise.png"
    embeds = np.frombuffer(base64.b64decode(picture["embeds"]), "<f4")
    again = replace(asked, items=(CAT, Embeds(embeds, 0.5, "noise.png")))
    fresh = Blender(*pipelines, IDENTITY, EmbedsCache())
    assert np.array_equal(pixels(fresh, again), np.asarray(original.image))


def test_a_recipe_keeps_items_of_weight_0_so_that_they_can_come_back(pipelines, blender):
    asked = request_for(replace(CAT, weight=0.0), replace(PICTURE, weight=0.0), replace(NIGHT, weight=1.0))
    (first,) = made(blender, asked)
    text, picture, _ = first.recipe["items"]
    assert text == {"kind": "text", "text": "a cat", "weight": 0.0}
    assert (picture["label"], picture["weight"]) == ("noise.png", 0.0)

    weights = (0.3, 0.3, 0.4)
    seen = Embeds(np.frombuffer(base64.b64decode(picture["embeds"]), "<f4"), 0.0, "noise.png")
    from_recipe = (CAT, seen, NIGHT)
    from_sources = (CAT, PICTURE, NIGHT)
    ours, theirs = (
        pixels(
            Blender(*pipelines, IDENTITY, EmbedsCache()),
            request_for(*(replace(item, weight=weight) for item, weight in zip(items, weights, strict=True))),
        )
        for items in (from_recipe, from_sources)
    )
    assert np.array_equal(ours, theirs)


def test_a_prompt_of_weight_0_is_not_embedded(blender):
    events = [*blender.run(request_for(replace(CAT, weight=0.0), PICTURE))]
    assert not any(isinstance(event, Advance) and event.stage == "prior" for event in events)


@pytest.mark.parametrize("size", [(64, 64), (100, 70), (33, 130)])
def test_the_picture_has_exactly_the_asked_size(blender, size):
    (one,) = made(blender, request_for(CAT, width=size[0], height=size[1]))
    assert one.image.size == size


def test_progress_counts_down_to_nothing_left(blender):
    events = list(blender.run(request_for(CAT, PICTURE, count=2)))
    left = [sum(event.left.values()) for event in events if isinstance(event, Advance)]
    assert left == sorted(left, reverse=True)
    # two prior steps; the picture, no picture and the decoder prompt; two steps and one decoding a variation
    assert (left[0], left[-1]) == (2 + 3 + 2 * 3, 0)


def test_closing_the_iterator_stops_the_work(blender, monkeypatch):
    run = blender.run(request_for(CAT, steps=50))
    for event in run:
        if isinstance(event, Advance) and event.stage == "denoising" and event.finished:
            break
    steps = Counter()
    monkeypatch.setattr(type(blender.decoder.unet), "construct", lambda *_: steps.update(["step"]))
    run.close()
    assert not steps
    assert list(run) == []


def test_a_preview_is_small_and_follows_the_denoising(blender):
    predicted = [
        event.predicted_latents
        for event in blender.run(request_for(CAT, width=256, height=128, steps=3))
        if isinstance(event, Advance) and event.predicted_latents is not None
    ]
    assert len(predicted) == 3
    preview = blender.preview(predicted[-1])
    assert preview.size == (128, 64)


@pytest.mark.parametrize(("height", "width", "expected"), [(8, 136, (136, 8)), (256, 8, (8, 256)), (8, 8, (64, 64))])
def test_a_preview_of_a_strip_is_a_strip(blender, height, width, expected):
    """A strip of 1088 x 64 px has latents of 136 x 8: a block of the longer side's would be higher than the picture."""
    latents = np.random.default_rng(0).standard_normal((1, 4, height, width)).astype(np.float32)
    assert blender.preview(latents).size == expected


def loads_of(tiny_checkpoint, budget_bytes, caplog) -> tuple[list[str], list[bool]]:
    """The models in the order in which two variations load them, and whether each step had a preview."""
    residency = Residency(budget_bytes)
    blender = Blender(
        KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior", residency=residency),
        KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder", residency=residency),
        IDENTITY,
        EmbedsCache(),
    )
    previews = []
    with caplog.at_level(logging.INFO, "kandinsky_backend.residency"):
        for event in blender.run(request_for(CAT, count=2)):
            if isinstance(event, Advance) and event.predicted_latents is not None:
                previews.append(blender.preview(event.predicted_latents) is not None)
    names = [record.args[0].split(": ")[1] for record in caplog.records if record.msg.startswith("loaded")]
    return names, previews


def test_without_memory_for_both_the_unet_stays_until_its_steps_are_done(tiny_checkpoint, caplog):
    names, previews = loads_of(tiny_checkpoint, 0, caplog)
    assert names == ["text_encoder", "prior", "image_encoder", "text_encoder", *["unet", "movq"] * 2]
    assert previews == [False] * 4


def test_with_memory_for_both_each_is_loaded_once_and_previews_are_made(tiny_checkpoint, caplog):
    names, previews = loads_of(tiny_checkpoint, 2**30, caplog)
    assert sorted(names) == ["image_encoder", "movq", "prior", "text_encoder", "text_encoder", "unet"]
    assert previews == [True] * 4


def test_the_cut_end_of_a_long_prompt_is_told(blender):
    long = Text("a cat " * 40 + "at the very end", 1.0)
    notices = [event.text for event in blender.run(request_for(long)) if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "at the very end" in notices[0]


@pytest.mark.parametrize(
    ("items", "settings", "code", "data"),
    [
        ((), {}, "no-weight", {}),
        ((replace(CAT, weight=0.0),), {}, "no-weight", {}),
        ((CAT, replace(NIGHT, weight=-0.3)), {"normalise": True}, "no-sum", {"weights": [0.3, -0.3]}),
        ((CAT, replace(NIGHT, weight=-0.3)), {"blending": "spherical"}, "no-positive-sum", {"weights": [0.3, -0.3]}),
        ((CAT, Embeds(np.zeros(5, np.float32), 1.0)), {}, "foreign-embedding", {"item": 2, "shape": (5,), "width": 32}),
        ((CAT,), {"width": 0}, "too-low", {"name": "width", "value": 0, "least": 1}),
        ((CAT,), {"height": 0}, "too-low", {"name": "height"}),
        ((CAT,), {"steps": -1}, "too-low", {"name": "steps", "value": -1, "least": 0}),
        ((CAT,), {"prior_steps": 0}, "too-low", {"name": "prior_steps"}),
        ((CAT,), {"steps": 1001}, "too-many-steps", {"name": "steps", "value": 1001, "trained": 1000}),
        ((CAT,), {"prior_steps": 1001}, "too-many-steps", {"name": "prior_steps", "value": 1001}),
        ((CAT,), {"count": 0}, "too-low", {"name": "count"}),
        ((CAT,), {"seed": -1}, "too-low", {"name": "seed", "value": -1, "least": 0}),
        ((CAT,), {"variation": -1}, "too-low", {"name": "variation"}),
    ],
)
def test_a_request_that_cannot_be_done_is_refused_before_any_work(blender, items, settings, code, data):
    with refused(BlendError, code, **data):
        next(blender.run(request_for(*items, **settings)))


def test_a_strip_too_narrow_to_crop_is_refused_by_its_name_before_any_work(blender):
    strip = Picture(noise_picture(1, size=(3, 3000)), 1.0, label="fence")
    with refused(BlendError, "too-narrow", name="fence"):
        next(blender.run(request_for(strip)))


def test_what_comes_twice_is_made_and_counted_once(blender):
    """A prompt as two items and as what to keep away from: one run of the prior."""
    request = request_for(CAT, replace(CAT, weight=0.7), PICTURE, PICTURE, negative=CAT.text)
    advances = [event for event in blender.run(request) if isinstance(event, Advance)]
    done = Counter(event.stage for event in advances if event.finished)
    assert done == {"prior": 2, "encoding": 2, "denoising": 2, "decoding": 1}
    assert advances[0].left == done | {"loading": 0}


def test_a_cache_that_keeps_nothing_changes_no_picture(pipelines, blender):
    forgetful = Blender(*pipelines, IDENTITY, EmbedsCache(max_bytes=0))
    request = request_for(CAT, NIGHT, PICTURE, negative="low quality")
    assert np.array_equal(pixels(forgetful, request), pixels(blender, request))


def test_each_stage_is_told_when_it_begins(blender):
    begun = [
        event.stage
        for event in blender.run(request_for(CAT, PICTURE))
        if isinstance(event, Advance) and not event.finished and event.stage != "loading"
    ]
    assert begun == ["prior", "prior", "encoding", "encoding", "encoding", "denoising", "decoding"]


def test_a_run_has_as_many_steps_as_the_scheduler_makes_of_those_asked_for(pipelines):
    """Trailing timesteps are rounded, which now and then makes one more."""
    prior, decoder = pipelines
    trailing = KandinskyPipeline(
        **decoder.components | {"scheduler": DDIMScheduler(timestep_spacing="trailing", num_train_timesteps=1000)}
    )
    blender = Blender(prior, trailing, IDENTITY, EmbedsCache())
    steps = next(count for count in range(1, 1000) if trailing.step_count(count) != count)
    request = request_for(CAT, steps=steps)
    tasks = tasks_of(Workspace(prior, trailing, IDENTITY, blender.cache, request))
    assert sum(task.units for task in tasks if isinstance(task, Denoise)) == trailing.step_count(steps)
