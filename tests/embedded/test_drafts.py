"""Drafts of the embedded model foretell its results."""

from __future__ import annotations

import pytest

from kandinsky_backend.families import DEFAULT, EMBEDDED_FOLDER, locate
from tests.embedded.drafts import DRAFT, PUBLISHED_RESULT, Drawer, Manner, foretold

COUNT = 20  # of the blends; of 200 others, from 100 on, 196 are foretold
EXPECTED = 17  # a chip that computes in bfloat16 draws a few of them otherwise


def test_the_small_model_draws_its_results_as_drafts_unless_asked_otherwise() -> None:
    assert Manner(*locate(DEFAULT).sampling) == DRAFT


@pytest.mark.slow
def test_drafts_have_the_colours_and_the_shape_of_their_results() -> None:
    drawn = Drawer(EMBEDDED_FOLDER).draw(range(COUNT), [PUBLISHED_RESULT, DRAFT])
    assert foretold(drawn[DRAFT], drawn[PUBLISHED_RESULT]) >= EXPECTED / COUNT
