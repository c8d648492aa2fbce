"""Areas, sizes, and the square that a model sees."""

from __future__ import annotations

import pytest

from plugin_client.editor.geometry import Area, fit_of, made_size, read_scale, shows_backdrop, side_of, square_seen
from plugin_client.wire.messages import Fit, ModelInfo, Picture


@pytest.mark.parametrize(
    ("area", "given", "side", "size"),
    [
        ((768, 768), (0, 0), 768, (768, 768)),
        ((4000, 3000), (0, 0), 768, (887, 665)),  # as many pixels as the model is used to, in the image's shape
        ((4000, 3000), (0, 0), 128, (148, 111)),
        ((100, 100), (0, 0), 768, (512, 512)),
        ((100, 100), (0, 0), 128, (100, 100)),
        ((600, 600), (0, 0), 768, (600, 600)),
        ((400, 300), (64, 48), 768, (64, 48)),
        ((400, 300), (64, 0), 768, (64, 48)),
        ((400, 300), (0, 300), 768, (400, 300)),
        ((4000, 40), (0, 0), 768, (2048, 20)),  # the strip keeps its shape
        ((4000, 40), (0, 0), 128, (1600, 16)),
        ((8000, 10), (0, 0), 768, (2048, 16)),  # as far as it can
        ((10, 8000), (0, 768), 768, (16, 768)),
    ],
)
def test_the_size_that_is_made(area: tuple[int, int], given: tuple[int, int], side: int, size: tuple[int, int]) -> None:
    assert made_size(Area(5, 5, *area), *given, side) == size


def test_a_model_tells_the_side_of_its_squares() -> None:
    models = [ModelInfo("small", "", "", loaded=False, side=128), ModelInfo("full", "", "", loaded=False, side=768)]
    assert [side_of(models, name) for name in ("", "small", "full", "gone")] == [128, 128, 768, 128]
    assert side_of([], "") == 0


@pytest.mark.parametrize(
    ("fit", "area"), [("crop", (50, 0, 100, 100)), ("pad", (0, -50, 200, 200)), ("stretch", (0, 0, 200, 100))]
)
def test_the_square_that_the_model_sees(fit: str, area: tuple[int, int, int, int]) -> None:
    assert square_seen(200, 100, fit) == Area(*area)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("picture", "fit", "is_seen"),
    [
        (Picture(2, 1, 3, bytes(6)), "crop", False),
        (Picture(2, 1, 3, bytes(6)), "pad", True),
        (Picture(1, 1, 3, bytes(3)), "pad", False),
        (Picture(2, 1, 4, bytes((0, 0, 0, 255, 0, 0, 0, 254))), "crop", True),
        (Picture(2, 1, 4, bytes((0, 0, 0, 255, 0, 0, 0, 255))), "stretch", False),
    ],
)
def test_a_backdrop_is_seen_around_a_picture_or_through_it(picture: Picture, fit: str, is_seen: bool) -> None:
    assert shows_backdrop(picture, fit) == is_seen  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "fit", "expected"),
    [((2000, 20), "crop", "crop"), ((2048, 20), "crop", "pad"), ((20, 2048), "crop", "pad"), ((9, 1), "crop", "crop"),
     ((2048, 20), "stretch", "stretch")],
)  # fmt: skip
def test_a_strip_that_no_square_can_be_cut_from_is_padded(size: tuple[int, int], fit: Fit, expected: Fit) -> None:
    assert fit_of(Picture(*size, 3, bytes(3 * size[0] * size[1])), fit) == expected


def test_areas_meet_or_do_not() -> None:
    canvas = Area(0, 0, 40, 30)
    assert Area(-10, 20, 30, 30).intersection(canvas) == Area(0, 20, 20, 10)
    assert Area(40, 0, 10, 10).intersection(canvas) is None


def test_a_large_layer_is_read_smaller() -> None:
    assert read_scale(Area(0, 0, 4096, 16)) == 0.5
    assert read_scale(Area(0, 0, 4096, 16), 128) == 1 / 32
    assert read_scale(Area(0, 0, 40, 16)) == 1
