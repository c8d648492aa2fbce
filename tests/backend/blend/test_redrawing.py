"""Refining and repainting, with a small random model; how well it looks is measured of the embedded one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kandinsky_backend.blend import (
    Advance,
    Blender,
    BlendOutput,
    EmbedsCache,
    Identity,
    RefineRequest,
    RepaintRequest,
    Text,
)
from kandinsky_backend.blend.redrawing import canvas_size
from kandinsky_backend.blend.request import picture_hash
from kandinsky_backend.errors import BlendError
from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.schedulers.samplers import SAMPLERS
from plugin_client.wire.settings import BlendSettings
from tests.golden.pipeline_cases import picture
from tests.golden.redrawing_cases import mask
from tests.random_checkpoint import write_checkpoint
from tests.refusals import refused

IDENTITY = Identity("tiny", "cafe", "float32", "CPU")
CAT = (Text("a cat", 1.0),)
SOURCE = picture(1)  # 96 x 80
MASK = mask(3, SOURCE.size)
SMALL = BlendSettings(steps=4, prior_steps=2, seed=7)


@pytest.fixture(scope="module")
def blender(tiny_checkpoint):
    prior = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior")
    decoder = KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder")
    return Blender(prior, decoder, IDENTITY, EmbedsCache(), side=64)


def refining(strength: float, source: Image.Image = SOURCE, items: Any = CAT, **settings) -> RefineRequest:
    return RefineRequest(items, replace(SMALL, **settings), source, strength)


def repainting(source: Image.Image = SOURCE, one: Image.Image = MASK, items: Any = CAT, **options) -> RepaintRequest:
    settings = {name: options.pop(name) for name in list(options) if hasattr(SMALL, name)}
    return RepaintRequest(items, replace(SMALL, **settings), source, one, **options)


def made(blender: Blender, request: Any) -> list[BlendOutput]:
    return [event for event in blender.run(request) if isinstance(event, BlendOutput)]


def pixels(blender: Blender, request: Any) -> np.ndarray:
    (one,) = made(blender, request)
    return np.asarray(one.image)


def denoised(blender: Blender, request: Any) -> int:
    events = [event for event in blender.run(request) if isinstance(event, Advance)]
    return sum(event.stage == "denoising" and event.finished for event in events)


@pytest.mark.parametrize(("strength", "steps"), [(0.01, 1), (0.3, 1), (0.5, 2), (0.9, 4), (1, 4)])
def test_a_strength_runs_its_share_of_the_steps(blender, strength, steps):
    assert denoised(blender, refining(strength)) == steps


def test_a_strength_of_0_gives_the_source_back(blender):
    first, second = made(blender, refining(0, count=2))
    assert first.image.tobytes() == second.image.tobytes() == SOURCE.tobytes()
    assert (first.recipe["variation"], second.recipe["variation"]) == (0, 1)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_refines_and_repaints(blender, sampler):
    assert (pixels(blender, refining(0.5, sampler=sampler)) != np.asarray(SOURCE)).any()
    new = pixels(blender, repainting(sampler=sampler, resamplings=2))
    kept = np.asarray(MASK) == 0
    assert np.array_equal(new[kept], np.asarray(SOURCE)[kept])
    assert denoised(blender, repainting(sampler=sampler, resamplings=2)) == 8


@pytest.mark.parametrize("size", [(100, 70), (9, 31), (200, 64)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16", "CMYK"])
def test_outside_the_mask_nothing_changes_whatever_the_source_is(blender, size, mode):
    source = SOURCE.resize(size)
    if mode == "RGBA":
        source.putalpha(mask(5, size))
    elif mode == "I;16":
        source = Image.fromarray(np.asarray(source.convert("L")).astype(np.uint16) * 257)
    else:
        source = source.convert(mode)
    one = Image.new("L", size)
    one.paste(200, (2, 3, size[0] // 2, size[1]))
    new = pixels(blender, repainting(source, one, width=64, height=64))
    kept = np.asarray(one) == 0
    (given,) = made(blender, refining(0, source))
    assert given.image.size == size
    assert new.shape == np.asarray(given.image).shape == (*size[::-1], 4 if mode == "RGBA" else 3)
    assert np.array_equal(new[kept], np.asarray(given.image)[kept])
    assert (new[~kept] != np.asarray(given.image)[~kept]).any(axis=-1).mean() > 0.5


def test_what_is_under_the_mask_shows_through_below_full_strength_only(blender):
    one, other = Image.new("L", SOURCE.size), SOURCE.copy()
    one.paste(255, (10, 10, 80, 70))
    other.paste((255, 0, 0), mask=one)
    for strength, shows in ((1.0, False), (0.6, True)):
        ours, theirs = (pixels(blender, repainting(source, one, strength=strength)) for source in (SOURCE, other))
        assert (ours[20:60, 20:70] != theirs[20:60, 20:70]).any() == shows  # not where the feather mixes both


def test_nothing_of_a_picture_shows_that_is_masked_whole(blender):
    whole, other = Image.new("L", SOURCE.size, 255), Image.new("RGB", SOURCE.size, (250, 20, 90))
    ours, theirs = (pixels(blender, repainting(source, whole)) for source in (SOURCE, other))
    assert np.array_equal(ours, theirs)


def test_a_refined_source_keeps_its_transparency(blender):
    source = SOURCE.copy()
    source.putalpha(mask(5, SOURCE.size))
    assert np.array_equal(pixels(blender, refining(0.5, source))[..., 3], np.asarray(source)[..., 3])


def test_recipes_name_the_pictures_by_their_pixels_and_the_way(blender):
    (one,) = made(blender, repainting(resamplings=2, strength=0.5))
    assert one.recipe["kind"] == "repaint"
    assert (one.recipe["source"], one.recipe["mask"]) == (picture_hash(SOURCE), picture_hash(MASK))
    assert (one.recipe["strength"], one.recipe["resamplings"]) == (0.5, 2)
    assert one.recipe["inpainting"] == "known-region"
    (one,) = made(blender, refining(0.5))
    assert (one.recipe["kind"], one.recipe["source"], one.recipe["strength"]) == ("refine", picture_hash(SOURCE), 0.5)
    sides = one.recipe["width"], one.recipe["height"]
    again = refining(0.5, width=sides[0], height=sides[1])
    assert np.array_equal(pixels(blender, again), np.asarray(one.image))


def test_an_inpainting_unet_is_told_by_its_config(tmp_path, blender):
    write_checkpoint(tmp_path, "tiny_inpaint")
    decoder = KandinskyPipeline.from_pretrained(tmp_path / "decoder")
    other = Blender(blender.prior, decoder, IDENTITY, EmbedsCache(), side=64)
    (one,) = made(other, repainting())
    assert one.recipe["inpainting"] == "inpaint-unet"
    kept = np.asarray(MASK) == 0
    assert np.array_equal(np.asarray(one.image)[kept], np.asarray(SOURCE)[kept])
    assert made(other, refining(0.5))


@pytest.mark.parametrize("items", [(), (Text(" ", 1.0),)])
def test_without_words_the_surroundings_are_drawn(blender, items):
    hidden = SOURCE.copy()
    hidden.paste((255, 0, 0), mask=MASK.point(lambda value: 255 * (value > 0)))
    ours, theirs = (made(blender, repainting(source, items=items))[0].recipe for source in (SOURCE, hidden))
    assert [item["label"] for item in ours["items"]] == ["the surroundings"]
    assert ours["items"] == theirs["items"]  # nothing of what is under the mask is in them
    assert [item["label"] for item in made(blender, refining(0.5, items=items))[0].recipe["items"]] == [
        "the picture itself"
    ]


@pytest.mark.parametrize(
    ("size", "side", "canvas"),
    [
        ((512, 512), 768, (768, 768)),
        ((1920, 1080), 768, (1024, 576)),
        ((100, 70), 128, (192, 128)),
        ((6000, 10), 768, (1536, 64)),
        ((8, 8), 32, (64, 64)),
    ],
)
def test_a_canvas_is_nearly_of_the_picture_s_shape_and_the_model_s_area(size, side, canvas):
    assert canvas_size(*size, side, 64) == canvas


@pytest.mark.parametrize(
    ("request_", "code", "data"),
    [
        (refining(-0.1), "bad-strength", {"strength": -0.1}),
        (refining(1.1), "bad-strength", {"strength": 1.1}),
        (repainting(strength=float("nan")), "bad-strength", {}),
        (repainting(resamplings=0), "too-low", {"name": "resamplings", "value": 0}),
        (refining(0.5, width=-1), "too-low", {"name": "width"}),
        (refining(0.5, SOURCE.crop((0, 0, 7, 50))), "small-source", {"width": 7, "height": 50, "least": 8}),
        (refining(0.5, Image.new("RGB", (1000, 9))), "narrow-source", {"width": 1000, "height": 9}),
        (repainting(one=Image.new("L", SOURCE.size)), "empty-mask", {}),
        (repainting(one=Image.new("L", SOURCE.size, 255), items=(Text(" ", 1.0),)), "full-mask", {}),
        (repainting(one=Image.new("L", SOURCE.size, 9), items=()), "full-mask", {}),
        (repainting(one=Image.new("L", (5, 6), 255)), "mask-size", {"width": 5, "source_width": 96}),
        (repainting(one=Image.new("RGB", SOURCE.size)), "mask-mode", {"mode": "RGB"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_redrawn_is_refused_before_any_work(blender, request_, code, data):
    with refused(BlendError, code, **data):
        next(blender.run(request_))
