"""What two sides know each for itself, because the arrows between the packages forbid an import, is the same."""

from __future__ import annotations

from contextlib import suppress

import pytest
from PIL import Image

from daemon import __main__ as daemon
from install import doctor
from kandinsky_backend import blend as backend
from kandinsky_backend import catalog, images, mixing
from plugin_client import client, launch, pictures
from plugin_client.wire import codec, recipe
from plugin_client.wire.errors import ProtocolError
from plugin_client.wire.messages import Blend, Blending, TextItem

WEIGHTS = [
    (1.0,), (-1.0,), (0.0, 0.0), (0.5, 0.5), (0.5, -0.5), (0.5, -1.0), (-1.0, -2.0), (1e-10, 1e-10),
    (1.0, -1.0 + 1e-7), (1.0, -1.0 + 1e-5), (1000.0, -999.9995), (-1.0, 1.0 - 1e-5), (0.25, 0.0, -0.125),
]  # fmt: skip


def test_the_model_of_a_daemon_that_was_given_none_has_one_name() -> None:
    assert launch.DEFAULT_MODEL == daemon.DEFAULT_MODEL == catalog.DEFAULT


def test_the_doctor_looks_for_the_files_of_the_full_model() -> None:
    full = catalog.locate(catalog.FULL)
    assert (full.prior, full.decoder) == doctor.REPOSITORIES
    assert catalog.FULL in doctor.FULL


def test_the_model_side_writes_the_recipes_that_clients_read() -> None:
    assert recipe.RECIPE_VERSION == backend.RECIPE_VERSION


def test_the_name_of_every_picture_that_can_be_read_means_a_picture() -> None:
    read = {*images._FORMATS, "MPO"}  # a camera's JPEG
    suffixes = {suffix for suffix, kind in Image.registered_extensions().items() if kind in read}
    assert set(client.PICTURE_SUFFIXES) == suffixes | set(pictures.HEIC_SUFFIXES)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("blending", ["linear", "spherical"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_client_sends_the_weights_that_the_model_side_takes(
    weights: tuple[float, ...], blending: Blending, normalise: bool
) -> None:
    sent = taken = False
    with suppress(ProtocolError):
        codec.check_blend(
            Blend(tuple(TextItem("a", weight) for weight in weights), blending=blending, normalise=normalise)
        )
        sent = True
    with suppress(mixing.BlendError):
        mixing.check_blend(weights, blending, normalise)
        taken = True
    assert sent == taken
