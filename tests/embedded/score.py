"""Score a small Kandinsky: `python -m tests.embedded.score FOLDER`, where FOLDER holds prior/ and decoder/.

Prints the table of scores with what each must reach, and fails when one does not. The whole table takes minutes;
--share 0.1 asks for a tenth of the pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kandinsky_backend.embedded.train.captions import LANGUAGES
from tests.embedded import scores
from tests.embedded.scores import Painter


@dataclass(frozen=True, order=True)
class Score:
    """A row of the table; `floor` is what must be reached."""

    name: str
    reached: float
    floor: float

    @property
    def missed(self) -> bool:
        return self.reached < self.floor

    def __str__(self) -> str:
        return f"{self.name:44} {self.reached:8.3f} {self.floor:8.2f}{'  MISSED' if self.missed else ''}"


SCORES: list[Score] = []  # of this run of the tests, which conftest.py shows at the end


def _prompts(painter: Painter, share: float, *, unseen: bool) -> Iterator[Score]:
    followed = scores.prompts_followed(painter, scores.some_combinations(_some(60, share), unseen=unseen))
    pairs = "pairs held out" if unseen else "pairs seen"
    colour, ground, shape = (0.85, 0.85, 0.75) if unseen else (0.95, 0.95, 0.90)
    yield Score(f"colour of the shape, {pairs}", followed.colour, colour)
    yield Score(f"background, {pairs}", followed.ground, ground)
    yield Score(f"shape, {pairs}", followed.shape, shape)


def _languages(painter: Painter, share: float) -> Iterator[Score]:
    asked = scores.some_combinations(_some(20, share), unseen=False)
    for language in LANGUAGES:
        if language != "en":
            yield Score(
                f"colours as in English, {language}", scores.colours_as_in_english(painter, asked, language), 0.90
            )


def _pictures(painter: Painter, share: float) -> Iterator[Score]:
    shown = scores.some_combinations(_some(60, share), unseen=False)
    yield Score("picture alone: colours kept", scores.pictures_kept(painter, shown), 0.90)


def _sweeps(painter: Painter, share: float) -> Iterator[Score]:
    ends = scores.some_sweeps(_some(50, share))
    yield Score("sweeps that never turn back", scores.sweeps_monotone(painter, ends), 0.90)


def _negatives(painter: Painter, share: float) -> Iterator[Score]:
    asked = scores.some_combinations(_some(50, share), unseen=False)
    yield Score("negative prompt lowers its colour", scores.negatives_heeded(painter, asked), 0.90)


def _reconstructions(painter: Painter, share: float) -> Iterator[Score]:
    shown = scores.some_combinations(_some(60, share), unseen=False)
    yield Score("MoVQ, PSNR of new pictures in dB", scores.reconstruction_psnr(painter, shown), 26.0)


def _some(count: int, share: float) -> int:
    return max(round(share * count), 1)


# What is scored; each takes the share of the pictures that a full table takes.
PARTS: Mapping[str, Callable[[Painter, float], Iterator[Score]]] = {
    "prompts of pairs seen": partial(_prompts, unseen=False),
    "prompts of pairs held out": partial(_prompts, unseen=True),
    "languages": _languages,
    "pictures": _pictures,
    "sweeps": _sweeps,
    "negative prompts": _negatives,
    "reconstructions": _reconstructions,
}


def table(painter: Painter, share: float) -> Iterator[Score]:
    """All rows, as they are measured."""
    for part in PARTS.values():
        yield from part(painter, share)


def main() -> int:
    from tests.embedded.kandinsky_painter import KandinskyPainter  # MindSpore, which --help can do without

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures (default 1)")
    given = parser.parse_args()
    missed = 0
    for score in table(KandinskyPainter(given.folder), given.share):
        print(score, flush=True)
        missed += score.missed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
