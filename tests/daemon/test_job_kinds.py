from __future__ import annotations

from typing import get_args

import pytest

from daemon.job_kinds import KINDS, load, picture_bytes
from plugin_client.wire.messages import Blend, EmbedsItem, JobRequest, Picture, PictureItem, TextItem

PIXELS = bytes(12)


def test_every_kind_of_job_on_the_wire_has_a_title_and_a_runner() -> None:
    requests = get_args(JobRequest)[0]  # a union, or the one class there is
    assert set(KINDS) == set(get_args(requests) or (requests,))
    for kind in KINDS.values():
        assert callable(load(kind.runner))


@pytest.mark.parametrize(
    ("items", "held"),
    [
        ((TextItem("a cat", 1.0),), 0),
        ((PictureItem(Picture(2, 2, 3, PIXELS), 1.0), EmbedsItem(bytes(8), 1.0), TextItem("", 1.0)), 20),
    ],
)
def test_the_bytes_of_pictures_and_embeddings_are_counted(items: tuple[TextItem, ...], held: int) -> None:
    assert picture_bytes(Blend(items)) == held
