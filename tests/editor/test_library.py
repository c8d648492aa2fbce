"""The daemon's library of models in a dialog's words."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_client.editor import library
from plugin_client.wire.messages import DEFAULT_MODEL, LibraryFault, LibraryList, ModelState, StoredModel

GB = 10**9


def full(state: ModelState, disk: int = 0, **others: Any) -> StoredModel:
    return StoredModel(library.FULL_MODEL, "org/full", state, disk, **{"download": 13 * GB, **others})


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (full("here", 13 * GB), "On the disk: 13.0 GB"),
        (full("partly", 2 * GB), "2.0 GB of it are on the disk; the rest is to be fetched"),
        (full("absent"), "Not on the disk: a download of about 13.0 GB"),
        (full("absent", download=0), "Not on the disk"),
        (full("waiting"), "Waits until another model is fetched or removed"),
        (full("removing"), "Is being removed ..."),
        (full("fetching"), "Asking the hub for its files ..."),
        (
            full("fetching", done=GB, total=13 * GB, elapsed=100.0, remaining=1200.0),
            "Downloading the model, 1.0 GB of 13.0 GB, 10 MB/s, 1 min 40 s, about 20 min left",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else given.state,
)
def test_what_is_on_the_disk_or_on_its_way_is_told_in_a_line(model: StoredModel, line: str) -> None:
    assert library.state_line(model) == line


@pytest.mark.parametrize(("fault", "line"), [(None, ""), ("stopped", ""), ("disk-full", "the disk is full")])
def test_a_fault_is_told_unless_the_artist_stopped_it(fault: LibraryFault | None, line: str) -> None:
    assert library.fault_line(full("partly", fault=fault, message="the disk is full")) == line


def test_a_model_is_told_by_what_it_draws_or_else_by_where_it_is_from() -> None:
    assert library.about(full("here")) == "The full model: draws what you like, best at 768 x 768 px"
    assert library.about(StoredModel("own", "/models/own", "here", GB)) == "/models/own"


def test_only_the_small_model_says_what_it_cannot_draw() -> None:
    assert library.limits_of(DEFAULT_MODEL) == "This small model draws nothing but coloured shapes."
    assert library.limits_of(library.FULL_MODEL) == ""


def test_the_room_for_downloads_and_what_a_removal_frees_are_told() -> None:
    place = LibraryList((), "/home/ada/models", 40 * GB)
    assert library.place_line(place) == "Downloads go to /home/ada/models, where 40.0 GB are free."
    assert library.question(full("here", 13 * GB)) == "Remove kandinsky-2-1?"
    assert library.consequence(full("here", 13 * GB)).startswith("This frees 13.0 GB on the disk.")
