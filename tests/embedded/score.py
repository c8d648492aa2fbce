"""Score a small Kandinsky: `python -m tests.embedded.score FOLDER`, where FOLDER holds prior/ and decoder/.

Prints the table of scores, what each must reach, and fails when one does not. A picture takes seconds, so the whole
table takes an hour or so; --share 0.1 asks for a tenth of the pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kandinsky_backend.embedded.train.captions import LANGUAGES
from tests.embedded import scores
from tests.embedded.scores import Painter


@dataclass(frozen=True)
class Score:
    """A row of the table; `floor` is what must be reached."""

    name: str
    reached: float
    floor: float

    def __str__(self) -> str:
        missed = "" if self.reached >= self.floor else "  MISSED"
        return f"{self.name:44} {self.reached:8.3f} {self.floor:8.2f}{missed}"


def table(painter: Painter, share: float) -> Iterator[Score]:
    """The rows, as they are measured; `share` of the pictures that the full table takes."""
    fifty, sixty, dozen = (max(round(share * count), 1) for count in (50, 60, 12))
    seen, unseen = (scores.some_combinations(sixty, unseen=held_out) for held_out in (False, True))
    for name, asked, floors in (("seen", seen, (0.95, 0.95, 0.90)), ("held out", unseen, (0.85, 0.85, 0.75))):
        followed = scores.prompts_followed(painter, asked)
        yield Score(f"colour of the shape, pairs {name}", followed.colour, floors[0])
        yield Score(f"background, pairs {name}", followed.ground, floors[1])
        yield Score(f"shape, pairs {name}", followed.shape, floors[2])
    for language in LANGUAGES:
        if language != "en":
            same = scores.colours_as_in_english(painter, seen[:dozen], language)
            yield Score(f"colours as in English, {language}", same, 0.90)
    yield Score("picture alone: colours kept", scores.pictures_kept(painter, seen), 0.90)
    yield Score("sweeps that never turn back", scores.sweeps_monotone(painter, scores.some_sweeps(fifty)), 0.90)
    yield Score("negative prompt lowers its colour", scores.negatives_heeded(painter, seen[:fifty]), 0.90)
    yield Score("MoVQ, PSNR of new pictures in dB", scores.reconstruction_psnr(painter, seen), 26.0)


def main() -> int:
    from tests.embedded.kandinsky_painter import KandinskyPainter  # MindSpore, which --help can do without

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures (default 1)")
    given = parser.parse_args()
    missed = 0
    for score in table(KandinskyPainter(given.folder), given.share):
        print(score, flush=True)
        missed += score.reached < score.floor
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
