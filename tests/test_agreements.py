"""What two sides know each for itself, because the arrows between the packages forbid an import, is the same."""

from __future__ import annotations

from contextlib import suppress

import pytest
from PIL import Image

from install import doctor
from kandinsky_backend import families, images
from kandinsky_backend.blend import mixing, request
from kandinsky_backend.errors import BlendError
from kandinsky_backend.pipelines import redrawing
from kandinsky_backend.schedulers.samplers import SAMPLERS
from plugin_client import picture_names
from plugin_client.editor import geometry
from plugin_client.wire import codec, messages, recipe, settings
from plugin_client.wire.errors import ProtocolError
from plugin_client.wire.messages import Blend, Picture, TextItem
from plugin_client.wire.settings import AUTO, SETTINGS, Blending

WEIGHTS = [
    (1.0,), (-1.0,), (0.0, 0.0), (0.5, 0.5), (0.5, -0.5), (0.5, -1.0), (-1.0, -2.0), (1e-10, 1e-10),
    (1.0, -1.0 + 1e-7), (1.0, -1.0 + 1e-5), (1000.0, -999.9995), (-1.0, 1.0 - 1e-5), (0.25, 0.0, -0.125),
]  # fmt: skip


def test_the_model_of_a_daemon_that_was_given_none_has_one_name() -> None:
    assert messages.DEFAULT_MODEL == families.DEFAULT


def test_a_strip_that_the_model_side_would_refuse_to_crop_is_known_to_an_editor() -> None:
    assert geometry.MAX_CROP_ASPECT == images.MAX_ASPECT


def test_the_samplers_that_a_client_asks_for_are_those_of_the_model_side() -> None:
    assert SETTINGS["sampler"].choices == (AUTO, *SAMPLERS)


def test_a_client_and_the_pipelines_run_as_many_steps_of_each_strength() -> None:
    strengths = [0.0, 1e-9, *(n / 1000 for n in range(1, 1000)), 1 - 1e-9, 1.0]
    for steps in range(1, 121):
        told = [settings.strength_steps(steps, strength) for strength in strengths]
        assert told == [redrawing.steps_of_strength(steps, strength) for strength in strengths]


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_a_picture_has_one_name_in_recipes(mode: str, channels: int) -> None:
    pixels = bytes(range(6 * channels))
    picture = Picture(3, 2, channels, pixels)
    assert recipe.picture_hash(picture) == request.picture_hash(Image.frombytes(mode, (3, 2), pixels))


def test_the_doctor_looks_for_the_files_of_the_full_model() -> None:
    full = families.locate(families.FULL)
    assert tuple(full.parts.values()) == doctor.REPOSITORIES
    assert families.FULL in doctor.FULL


def test_the_name_of_every_picture_that_pillow_knows_means_a_picture() -> None:
    no_pictures = {".mpg", ".mpeg", ".bufr", ".grib", ".h5", ".hdf", ".im", ".palm", ".pxr", ".ftc", ".ftu", ".gbr"}
    no_pictures |= {".flc", ".fli", ".iim"}
    assert set(Image.registered_extensions()) - no_pictures <= set(picture_names.PICTURE_SUFFIXES)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("blending", ["linear", "spherical"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_client_sends_the_weights_that_the_model_side_takes(
    weights: tuple[float, ...], blending: Blending, normalise: bool
) -> None:
    sent = taken = False
    with suppress(ProtocolError):
        codec.check_request(
            Blend(tuple(TextItem("a", weight) for weight in weights), blending=blending, normalise=normalise)
        )
        sent = True
    with suppress(BlendError):
        mixing.shares(weights, blending, normalise)
        taken = True
    assert sent == taken
