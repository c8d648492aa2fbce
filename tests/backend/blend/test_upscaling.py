"""Upscaling, with a small random model; how well it looks is measured of the embedded one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
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
    Text,
    UpscaleRequest,
)
from kandinsky_backend.blend.request import picture_hash
from kandinsky_backend.blend.upscaling import Upscaling
from kandinsky_backend.errors import BlendError
from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.schedulers.samplers import SAMPLERS
from plugin_client.wire.settings import BlendSettings
from tests.golden.pipeline_cases import picture
from tests.golden.redrawing_cases import mask
from tests.refusals import refused

CAT = (Text("a cat", 1.0),)
SOURCE = picture(1)  # 96 x 80
SMALL = BlendSettings(steps=4, prior_steps=2, seed=7)
LARGE = (140, 100)  # in tiles of 64 px: 3 x 2 of them


@pytest.fixture(scope="module")
def blender(tiny_checkpoint):
    prior = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior")
    decoder = KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder")
    return Blender(prior, decoder, Identity("tiny", "cafe", "float32", "CPU"), EmbedsCache(), side=64)


def upscaling(
    strength: float = 0.5, size: tuple[int, int] = LARGE, source: Image.Image = SOURCE, items: Any = CAT, **settings
) -> UpscaleRequest:
    return UpscaleRequest(items, replace(SMALL, **settings), source, size, strength)


def made(blender: Blender, request: Any) -> list[BlendOutput]:
    return [event for event in blender.run(request) if isinstance(event, BlendOutput)]


def pixels(blender: Blender, request: Any) -> np.ndarray:
    (one,) = made(blender, request)
    return np.asarray(one.image)


def tiled(size: tuple[int, int], width: int = 64, height: int = 64) -> Upscaling:
    image = Image.new("RGB", size)
    return Upscaling(image, image, width, height, 8)


SIZES = [(64, 64), (65, 64), (140, 100), (37, 500), (129, 8), (1000, 63)]


@pytest.mark.parametrize("size", SIZES)
def test_tiles_add_up_to_the_whole_picture_and_each_lies_on_latent_pixels(size):
    cut = tiled(size)
    width, height = cut.canvas_size
    mosaic = np.zeros((height, width, 3), np.float32)
    for tile in cut.tiles:
        assert tile.top % 8 == tile.left % 8 == 0
        assert 0 <= tile.top <= height - 64
        assert 0 <= tile.left <= width - 64
        cut.add(mosaic, tile, np.ones((64, 64, 3), np.float32))
    assert np.abs(mosaic - 1).max() < 1e-6
    assert (width >= size[0], height >= size[1]) == (True, True)


@pytest.mark.parametrize("size", SIZES)
def test_tiles_put_together_are_the_picture_that_was_cut(size):
    image = SOURCE.resize(size)
    cut = Upscaling(image, image, 64, 64, 8)
    width, height = cut.canvas_size
    mosaic = np.zeros((height, width, 3), np.float32)
    for tile in cut.tiles:
        cut.add(mosaic, tile, (cut.pixels(tile)[0].transpose(1, 2, 0) + 1) / 2)
    assert np.array_equal(np.asarray(cut.result(mosaic)), np.asarray(image))


def test_neighbours_share_a_quarter_of_a_tile_nearly_and_none_has_its_edge_seen():
    cut = tiled((1000, 64))
    lefts = [tile.left for tile in cut.tiles]
    assert min(64 - (after - before) for before, after in pairwise(lefts)) >= 16 - 8
    seen = np.zeros((64, 1000, 3), np.float32)
    cut.add(seen, cut.tiles[3], np.ones((64, 64, 3), np.float32))
    inside = seen[0, cut.tiles[3].left : cut.tiles[3].left + 64, 0]
    assert max(inside[0], inside[-1]) < 0.1  # of the tile's own outermost pixels
    assert inside.max() == 1


def test_overlapping_tiles_have_the_same_noise_where_they_overlap():
    cut = tiled((128, 112))
    drawn = [cut.random_numbers(tile, np.random.default_rng(5)).standard_normal((1, 4, 8, 8)) for tile in cut.tiles]
    canvas = np.random.default_rng(5).standard_normal((1, 4, *cut.canvas_cells))
    for tile, noise in zip(cut.tiles, drawn, strict=True):
        assert np.array_equal(noise, canvas[(..., *cut.cells(tile))])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("size", [SOURCE.size, LARGE, (97, 301)])
def test_without_strength_it_is_lanczos_and_no_more(blender, mode, size):
    source = SOURCE.copy()
    if mode == "RGBA":
        source.putalpha(mask(5, SOURCE.size))
    source = source.convert(mode)
    first, second = made(blender, upscaling(0, size, source, count=2))
    shown = source if mode == "RGBA" else source.convert("RGB")
    expected = shown.resize(size, Image.Resampling.LANCZOS)
    assert first.image.tobytes() == second.image.tobytes() == expected.tobytes()
    assert (first.image.mode, first.image.size) == (expected.mode, size)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_upscales_and_the_same_seed_makes_the_same_bytes(blender, sampler):
    once, again = (pixels(blender, upscaling(sampler=sampler)) for _ in range(2))
    assert once.shape == (100, 140, 3)
    assert np.array_equal(once, again)
    assert (once != pixels(blender, upscaling(sampler=sampler, seed=8))).any()


@pytest.mark.parametrize("size", [(9, 31), (65, 130), (200, 70)])
def test_odd_sizes_come_out_as_they_were_asked_for(blender, size):
    assert pixels(blender, upscaling(size=size, source=SOURCE.resize((8, 30)))).shape == (*size[::-1], 3)


@pytest.mark.parametrize(("count", "strength", "denoised"), [(1, 0.2, 1), (1, 1, 4), (2, 0.5, 2)])
def test_all_tiles_go_through_one_model_before_the_next_and_all_their_steps_are_counted(
    blender, count, strength, denoised
):
    events = [event for event in blender.run(upscaling(strength, count=count)) if isinstance(event, Advance)]
    stages = [event.stage for event in events if event.finished and event.stage not in ("prior", "loading")]
    tiles = 3 * 2
    last = [*["denoising"] * tiles * denoised, *["decoding"] * tiles] * count
    assert stages[-len(last) :] == last
    assert stages[: -len(last)].count("encoding") >= tiles
    assert not any(events[-1].left.values())


def test_a_preview_shows_the_whole_picture(blender):
    shown = [event.predicted_latents for event in blender.run(upscaling()) if isinstance(event, Advance)]
    assert {latents.shape[-2:] for latents in shown if latents is not None} == {(13, 18)}  # of 100 x 140 px
    assert not np.array_equal(*[latents for latents in shown if latents is not None][-2:])


def test_a_tile_is_as_large_as_was_asked_for(blender):
    (one,) = made(blender, upscaling(width=100, height=64))
    assert (one.recipe["width"], one.recipe["height"]) == (128, 64)


@pytest.mark.parametrize("size", [(400, 64), (64, 208), (208, 208)])
def test_tiles_of_other_colours_go_over_into_each_other_without_a_step(size):
    cut = tiled(size)
    mosaic = np.zeros((*size[::-1], 3), np.float32)
    for tile in cut.tiles:
        colour = (tile.row + tile.column) % 2
        cut.add(mosaic, tile, np.full((64, 64, 3), colour, np.float32))
    steps = [np.abs(np.diff(mosaic, axis=axis)).max() for axis in (0, 1)]
    assert (mosaic.min(), mosaic.max()) == (0, 1)
    assert max(steps) < 1.01 / 16  # the least step that leads from one to the other over 16 px


def test_a_source_keeps_its_transparency(blender):
    source = SOURCE.copy()
    source.putalpha(mask(5, SOURCE.size))
    alpha = source.resize(LARGE, Image.Resampling.LANCZOS).getchannel("A")
    assert np.array_equal(pixels(blender, upscaling(source=source))[..., 3], np.asarray(alpha))


def test_a_recipe_names_the_source_and_the_size_and_makes_the_same_again(blender):
    (one,) = made(blender, upscaling(items=()))
    told = [one.recipe[name] for name in ("kind", "source", "target_width", "target_height", "strength")]
    assert told == ["upscale", picture_hash(SOURCE), *LARGE, 0.5]
    assert [item["label"] for item in one.recipe["items"]] == ["the picture itself"]
    again = upscaling(items=(), width=one.recipe["width"], height=one.recipe["height"])
    assert np.array_equal(pixels(blender, again), np.asarray(one.image))


def test_the_memory_of_the_canvas_counts(blender):
    small, large = (blender.bytes_needed(upscaling(size=size)) for size in (LARGE, (1400, 1000)))
    assert large - small > 1400 * 1000 * 3 * 4


@pytest.mark.parametrize(
    ("request_", "code", "data"),
    [
        (upscaling(1.1), "bad-strength", {"strength": 1.1}),
        (upscaling(width=-1), "too-low", {"name": "width"}),
        (upscaling(size=(95, 200)), "small-result", {"width": 95, "source_width": 96}),
        (upscaling(size=(200, 79)), "small-result", {"height": 79, "source_height": 80}),
        (upscaling(source=SOURCE.crop((0, 0, 7, 50))), "small-source", {"width": 7, "least": 8}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_upscaled_is_refused_before_any_work(blender, request_, code, data):
    with refused(BlendError, code, **data):
        next(blender.run(request_))
