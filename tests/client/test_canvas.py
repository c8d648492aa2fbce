"""The part of a picture that is sent, and what comes back put into the whole."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from plugin_client import Client, canvas, origins
from plugin_client.client import make_redraw
from plugin_client.regions import OVERLAP
from plugin_client.wire.errors import BadArgument, UsageError
from plugin_client.wire.messages import Refine, Repaint, Upscale
from tests.client.scripted_daemon import Script
from tests.client.shell import submitted
from tests.refusals import refused

SIZE = (640, 400)
REGION = (300, 100, 340, 180)  # of the mask


def photo(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """No two of its neighbouring pixels are alike."""
    bands = [Image.radial_gradient("L"), Image.linear_gradient("L"), Image.linear_gradient("L").rotate(90)]
    alpha = [Image.linear_gradient("L").rotate(180)] if mode == "RGBA" else []
    return Image.merge(mode, [*bands, *alpha]).resize(size, Image.Resampling.NEAREST)


def mask_of(region: tuple[int, int, int, int] = REGION, value: int = 255, size: tuple[int, int] = SIZE) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(value, region)
    return mask


def changed(before: Image.Image, after: Image.Image) -> Image.Image:
    """Where pixels differ, in any channel: 255, else 0."""
    assert (before.mode, before.size) == (after.mode, after.size)
    apart = [
        band.point([0] + [255] * 255)
        for band in ImageChops.difference(before.convert("RGBA"), after.convert("RGBA")).split()
    ]
    whole = apart[0]
    for band in apart[1:]:
        whole = ImageChops.lighter(whole, band)
    return whole


def count_outside(before: Image.Image, after: Image.Image, mask: Image.Image) -> int:
    """How many pixels differ where the mask is 0."""
    outside = mask.point([255] + [0] * 255)
    return ImageChops.multiply(changed(before, after), outside).histogram()[255]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("value", [255, 1])
def test_no_pixel_outside_the_mask_changes_whatever_comes_back(script: Script, mode: str, value: int) -> None:
    """The daemon of this test fills all that it gets with one colour."""
    before, mask = photo(mode), mask_of(value=value)
    with Client() as client:
        after = client.repaint(before, mask, [("a cat", 1.0)], seed=77)
    assert count_outside(before, after, mask) == 0
    assert after.getpixel((320, 140))[:3] == (77, 0, 7)
    assert changed(before, after).getbbox() == REGION


def test_only_the_region_and_a_margin_are_sent(script: Script) -> None:
    with Client() as client:
        client.repaint(photo(size=(6000, 4000)), mask_of((3000, 50, 3040, 130), size=(6000, 4000)), [("a cat", 1)])
    request = submitted(script)
    assert isinstance(request, Repaint)
    assert (request.source.width, request.source.height) == (40 + 2 * 64, 50 + 80 + 64)
    assert (request.mask.width, request.mask.height, request.mask.channels) == (168, 194, 1)


def test_without_words_the_surroundings_are_asked_for(script: Script) -> None:
    with Client() as client:
        client.repaint(photo(), mask_of(), strength=0.8, resamplings=3)
    request = submitted(script)
    assert isinstance(request, Repaint)
    assert (request.items, request.strength, request.resamplings) == ((), 0.8, 3)


def test_a_picture_is_refined_whole(script: Script) -> None:
    with Client() as client:
        after = client.refine(photo(), [("a cat", 1.0)], strength=0.25, seed=5)
    request = submitted(script)
    assert isinstance(request, Refine)
    assert (request.source.width, request.source.height, request.strength) == (*SIZE, 0.25)
    assert (after.size, after.getpixel((0, 0))) == (SIZE, (5, 0, 7))


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (1280, 800)),
        ({"factor": 1.5}, (960, 600)),
        ({"size": "1000x1000"}, (1000, 625)),
        ({"size": (9000 // 2, 700)}, (1120, 700)),
        ({"size": SIZE}, SIZE),
    ],
)
def test_a_picture_is_upscaled_in_proportion(script: Script, asked: dict[str, Any], size: tuple[int, int]) -> None:
    with Client() as client:
        after = client.upscale(photo(), [("a cat", 1.0)], strength=0.25, seed=5, **asked)
    request = submitted(script)
    assert isinstance(request, Upscale)
    assert (request.source.width, request.target_width, request.target_height) == (SIZE[0], *size)
    assert (request.width, request.strength, after.size, after.getpixel((0, 0))) == (0, 0.25, size, (5, 0, 7))


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        ({"size": "639x9000"}, BadArgument, "not-whole-in-range"),
        ({"size": (639, 8000)}, UsageError, "small-target"),
        ({"size": (1000, 399)}, UsageError, "small-target"),
        ({"factor": 12.0}, UsageError, "large-target"),
        ({"factor": 0.5}, BadArgument, "not-in-range"),
        ({"factor": float("nan")}, BadArgument, "not-in-range"),
        ({"size": SIZE, "factor": 1}, UsageError, "size-and-factor"),
    ],
)
def test_a_size_that_cannot_be_upscaled_to_is_refused(
    script: Script, asked: dict[str, Any], kind: type[UsageError], code: str
) -> None:
    with Client() as client, refused(kind, code):
        client.upscale(photo(), **asked)
    assert script.submitted == {}


def test_a_picture_grows_and_stays_what_it_was_but_for_its_edge(script: Script) -> None:
    before = photo()
    with Client() as client:
        after = client.extend(before, left=100, bottom=50, seed=9)
    assert after.size == (740, 450)
    kept = after.crop((100, 0, 740, 400))
    assert changed(before, kept).crop((OVERLAP, 0, 640, 400 - OVERLAP)).getbbox() is None
    assert after.getpixel((50, 425)) == (9, 0, 7)


def test_the_border_starts_as_the_edge_and_the_mask_fades_into_the_picture() -> None:
    sheet = canvas.grown(photo(), left=100, top=30)
    assert sheet.mask is not None
    assert sheet.image.getpixel((0, 200)) == sheet.image.getpixel((100, 200)) == photo().getpixel((0, 170))
    assert sheet.image.getpixel((400, 0)) == photo().getpixel((300, 0))
    assert sheet.image.getpixel((3, 2)) == photo().getpixel((0, 0))
    row = [sheet.mask.getpixel((x, 300)) for x in range(90, 120)]
    assert row == sorted(row, reverse=True)  # type: ignore[type-var]
    assert (row[9], row[25], row[26]) == (255, 16, 0)


# --- what cannot be ----------------------------------------------------------------------------------------------


def test_a_black_mask_and_one_of_another_size_are_refused() -> None:
    with refused(UsageError, "empty-mask"):
        canvas.masked(photo(), mask_of(value=0))
    with refused(UsageError, "mask-size", width=10, picture_width=640):
        canvas.masked(photo(), Image.new("L", (10, 10), 255))


def test_a_full_mask_needs_something_to_draw(script: Script) -> None:
    with Client() as client:
        with refused(BadArgument, "full-mask"):
            client.repaint(photo(), Image.new("L", SIZE, 255))
        client.repaint(photo(), Image.new("L", SIZE, 255), [("a cat", 1.0)])


def test_what_is_transparent_in_a_mask_is_not_meant() -> None:
    with refused(UsageError, "empty-mask"):
        canvas.masked(photo(), Image.new("RGBA", SIZE, (255, 255, 255, 0)))


def test_a_mask_of_one_pixel_is_enough(script: Script) -> None:
    mask = mask_of((7, 7, 8, 8))
    with Client() as client:
        after = client.repaint(photo(), mask, [("a cat", 1.0)])
    assert changed(photo(), after).getbbox() == (7, 7, 8, 8)


def test_a_region_that_no_frame_carries_is_refused() -> None:
    size = (8200, 10)
    with refused(UsageError, "too-large-region", width=8200):
        canvas.masked(photo(size=size), Image.new("L", size, 255))


@pytest.mark.parametrize(
    ("settings", "kind", "code"),
    [
        ({"strength": 1.5}, BadArgument, "not-in-range"),
        ({"strength": -0.1}, BadArgument, "not-in-range"),
        ({"strength": float("nan")}, BadArgument, "not-in-range"),
        ({"resamplings": 2}, UsageError, "unknown-setting"),  # only a repaint has them
    ],
)
def test_a_bad_setting_is_refused(script: Script, settings: dict[str, Any], kind: type[UsageError], code: str) -> None:
    with Client() as client, refused(kind, code):
        client.refine(photo(), **settings)
    assert script.submitted == {}


# --- fetched later -----------------------------------------------------------------------------------------------


def test_a_job_that_was_left_is_fetched_as_the_whole_picture(script: Script, here: Path) -> None:
    photo().save(here / "photo.png")
    sheets = [
        make(picture)
        for picture in ("photo.png", photo("RGBA"))
        for make in (lambda one: canvas.masked(one, mask_of()), lambda one: canvas.grown(one, left=9), canvas.whole)
    ]
    with Client() as client:
        for sheet in sheets:
            job = client.submit_drawing(sheet, make_redraw(sheet, [("a cat", 1.0)], seed=5))
            (image,) = client.fetch(job.id)
            assert image.tobytes() == sheet.with_drawn(job.result().images[0]).tobytes()
            assert image.size == sheet.image.size
        blend = client.submit([("a cat", 1.0)])
        assert client.fetch(blend.id)[0].tobytes() == blend.result().images[0].tobytes()


def test_a_job_whose_picture_was_in_no_file_and_too_large_or_has_changed_is_refused(
    script: Script, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "KEPT_BYTES", 3 * SIZE[0] * SIZE[1] - 1)
    photo().save(here / "photo.png")
    ours, noted = canvas.masked(photo(), mask_of()), canvas.masked("photo.png", mask_of())
    with Client() as client:
        jobs = [client.submit_drawing(sheet, make_redraw(sheet, [("a cat", 1.0)])) for sheet in (ours, noted)]
        Image.new("RGB", SIZE).save(here / "photo.png")
        for job, code in zip(jobs, ("unknown-origin", "changed"), strict=True):
            with refused(UsageError, code):
                client.fetch(job.id)
            assert job.result().images[0].size == (168, 208)


@pytest.mark.parametrize("text", ["{}", '{"whole": 1}', '{"whole": "AAAA", "box": [0, 0, 9, 9], "growing": {}}'])
def test_a_damaged_note_is_refused(text: str) -> None:
    with refused(UsageError, "note"):
        canvas.read_noted(text)


def test_a_noted_picture_that_is_smaller_than_its_region_is_refused() -> None:
    plain = json.loads(canvas.masked(photo(), mask_of()).noted())
    plain["whole"] = json.loads(canvas.masked(photo(size=(80, 80)), mask_of((1, 1, 9, 9), size=(80, 80))).noted())[
        "whole"
    ]
    with refused(UsageError, "note"):
        canvas.read_noted(json.dumps(plain))


def test_old_notes_go(here: Path, home: Path) -> None:
    photo().save(here / "photo.png")
    origins.note("old", canvas.whole("photo.png"))
    (note,) = (home / origins.FOLDER).iterdir()
    os.utime(note, (0, time.time() - origins.KEPT_SECONDS - 1))
    origins.note("new", canvas.whole("photo.png"))
    assert [file.name for file in (home / origins.FOLDER).iterdir()] == ["new.json"]


# --- kept in a file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_canvas_is_kept_in_the_file_of_the_picture(here: Path, mode: str) -> None:
    from plugin_client import pictures

    for sheet in (canvas.masked(photo(mode), mask_of(value=130)), canvas.whole(photo(mode))):
        drawn = sheet.with_drawn(Image.new("RGB", (sheet.source.width, sheet.source.height), "red"))
        pictures.write_png(here / "a.png", pictures.as_picture(drawn), {}, sheet.kept())
        kept = canvas.read_kept(here / "a.png")
        assert kept is not None
        for found in (kept.restored(), kept.over(photo(mode))):
            assert found is not None
            assert found.image.tobytes() == sheet.image.tobytes()
            assert found.source == sheet.source
            assert (found.mask is None) == (sheet.mask is None)
            assert found.sent == sheet.sent


BOX = '"box": [0, 0, 1, 1]'


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "{}", "[" * 9999),
        *('{"box": [0, 0, 9, 9], "source": "AAAA"}', '{"box": "x"}', '{"box": [0, 1]}'),
        *(f'{{{BOX}, "growing": {growing}}}' for growing in ("7", '{"left": 99999}', '{"up": 1}')),
    ],
)
def test_a_damaged_canvas_is_refused(here: Path, text: str) -> None:
    from plugin_client import pictures

    pictures.write_png(here / "a.png", pictures.as_picture(photo(size=(8, 8))), {}, {canvas.KEPT_KEY: text})
    with refused(UsageError, "kept"):
        canvas.read_kept(here / "a.png")
