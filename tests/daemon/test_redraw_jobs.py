"""The requests that draw into a picture, as the backend gets them."""

from __future__ import annotations

from daemon import refine_job, repaint_job, upscale_job
from daemon.drawing import wire_picture
from daemon.job_kinds import result_bytes, title
from kandinsky_backend.blend import Text
from plugin_client.wire.limits import MAX_HEADER_BYTES
from plugin_client.wire.messages import Picture, Refine, Repaint, TextItem, Upscale

SOURCE = Picture(2, 1, 4, b"abcdefgh")
MASK = Picture(2, 1, 1, b"\0\x80")
REFINE = Refine((TextItem("a cat", 0.5),), SOURCE, strength=0.4, seed=7, count=3)
REPAINT = Repaint((), SOURCE, MASK, strength=0.9, resamplings=2, seed=8)
UPSCALE = Upscale((), SOURCE, 6, 5, strength=0.3, seed=9, count=2)


def test_the_backend_gets_pictures_mask_and_settings_as_they_were_sent() -> None:
    refine, repaint = refine_job.request_of(REFINE), repaint_job.request_of(REPAINT)
    assert (refine.items, refine.strength, refine.settings.seed) == ((Text("a cat", 0.5),), 0.4, 7)
    assert (repaint.items, repaint.strength, repaint.resamplings, repaint.settings.seed) == ((), 0.9, 2, 8)
    assert wire_picture(refine.source) == wire_picture(repaint.source) == SOURCE
    assert (repaint.mask.mode, repaint.mask.size, repaint.mask.tobytes()) == ("L", (2, 1), MASK.pixels)


def test_the_backend_gets_the_size_that_is_asked_for() -> None:
    upscale = upscale_job.request_of(UPSCALE)
    assert (upscale.size, upscale.strength, wire_picture(upscale.source)) == ((6, 5), 0.3, SOURCE)
    assert result_bytes(UPSCALE, side=512) == 2 * 6 * 5 * SOURCE.channels + MAX_HEADER_BYTES


def test_the_memory_of_the_results_is_that_of_so_many_sources() -> None:
    assert result_bytes(REFINE, side=512) == 3 * len(SOURCE.pixels) + MAX_HEADER_BYTES


def test_a_title_says_what_is_done() -> None:
    assert title(REFINE) == "refined: 0.5 a cat, seed 7"
    assert title(REPAINT) == "removed, seed 8"
    assert title(UPSCALE) == "upscaled, seed 9"
