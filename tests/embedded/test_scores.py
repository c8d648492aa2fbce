"""The model that ships with the package draws what it is asked for: our pipelines, fixed seeds, pixels measured."""

from __future__ import annotations

import pytest

from kandinsky_backend.families import EMBEDDED_FOLDER
from tests.embedded.kandinsky_painter import KandinskyPainter
from tests.embedded.redraws import redraws
from tests.embedded.score import PARTS, SCORES

QUICK_SHARE = 0.2  # of the pictures
QUICK_PARTS = ("prompts of pairs seen", "reconstructions")
SHARES = {"sweeps": 0.3}  # of the pictures of a part that takes minutes; score.py measures them all


@pytest.fixture(scope="module")
def painter() -> KandinskyPainter:
    return KandinskyPainter(EMBEDDED_FOLDER)


@pytest.mark.parametrize("part", QUICK_PARTS)
def test_a_quick_look_at_the_scores(painter: KandinskyPainter, part: str) -> None:
    assert not [score for score in PARTS[part](painter, QUICK_SHARE) if score.missed]


def test_a_quick_look_at_what_is_drawn_into_pictures() -> None:
    scores = list(redraws("embedded", count=6).table())
    SCORES.extend(scores)
    assert not [score for score in scores if score.missed]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", PARTS)
def test_every_score_is_reached(painter: KandinskyPainter, part: str) -> None:
    scores = list(PARTS[part](painter, SHARES.get(part, 1.0)))
    SCORES.extend(scores)
    assert not [score for score in scores if score.missed]
