"""Score how a small Kandinsky repaints and refines: `python -m tests.embedded.redraws FOLDER OUT`.

FOLDER holds prior/ and decoder/. Drawn pictures of one shape are repainted, in a box around the shape, with another
shape in another colour; emptied without words; and refined, towards their own words and towards another shape. OUT has
the sheet, redraws.png; the table goes to the terminal, with what must be reached. Takes a minute or two.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import mindspore as ms
import numpy as np
from PIL import Image, ImageDraw

from kandinsky_backend.blend import (
    Blender,
    BlendOutput,
    BlendRequest,
    EmbedsCache,
    RefineRequest,
    RepaintRequest,
    Text,
    UpscaleRequest,
    open_blender,
)
from kandinsky_backend.embedded.train.captions import Said, caption
from kandinsky_backend.embedded.train.scenes import PATTERNS, combinations, draw, named_scene
from kandinsky_backend.families import locate
from kandinsky_backend.repainting import grown
from kandinsky_backend.residency import Residency
from plugin_client.wire.messages import Upscale
from plugin_client.wire.settings import BlendSettings
from tests.embedded.measure import Seen, colour_shares, mark_mask, measure
from tests.embedded.score import Score

MARGIN = 10  # px of ground between a shape and the edge of its box,
LEAST = 4  # px, and between the box and the edge of the picture
SEAM = 12  # of 255: the largest step of the mean colour at a mask's edge
STRENGTHS = {0.3: 0.95, 0.6: 0.8, 0.9: 0.5}  # of a refinement, and how many must keep the shape
SHOWN = 9  # of each kind on the sheet


@dataclass(frozen=True)
class Case:
    """A drawn picture, the box around its shape, and what is asked for instead."""

    shows: Seen
    asked: Seen
    seed: int

    @property
    def source(self) -> Image.Image:
        return draw(named_scene(self.shows.shape, self.shows.colour, self.shows.ground, layout=self.seed))

    @property
    def mask(self) -> Image.Image:
        rows, columns = np.nonzero(mark_mask(self.source, self.shows.colour, self.shows.ground))
        mask = Image.new("L", self.source.size)
        first, last = LEAST, mask.width - 1 - LEAST
        left, top = (max(int(places.min()) - MARGIN, first) for places in (columns, rows))
        right, bottom = (min(int(places.max()) + MARGIN, last) for places in (columns, rows))
        ImageDraw.Draw(mask).rectangle((left, top, right, bottom), fill=255)
        return mask

    @property
    def settings(self) -> BlendSettings:
        return BlendSettings(seed=self.seed)

    def repainting(self) -> RepaintRequest:
        return RepaintRequest(_words(self.asked), self.settings, self.source, self.mask)

    def removal(self) -> RepaintRequest:
        return RepaintRequest((), self.settings, self.source, self.mask)

    def upscaling(self, factor: int, strength: float) -> UpscaleRequest:
        width, height = self.source.size
        return UpscaleRequest((), self.settings, self.source, (factor * width, factor * height), strength)

    def refinement(self, strength: float, towards: Seen | None) -> RefineRequest:
        """Towards these words, or none."""
        return RefineRequest(_words(towards) if towards else (), self.settings, self.source, strength)


def _words(seen: Seen) -> tuple[Text, ...]:
    return (Text(caption(Said(seen.shape, seen.colour, seen.ground, "one"), "en"), 1.0),)


def some_cases(count: int) -> list[Case]:
    """Always the same: marks of pairs that training saw; another shape and colour are asked for on that ground."""
    rng = np.random.default_rng(3)
    known = [Seen(*one) for one in combinations(unseen=False) if one[0] not in PATTERNS]
    cases = []
    for seed in range(count):
        shows = known[rng.integers(len(known))]
        others = [
            one
            for one in known
            if one.ground == shows.ground and one.colour != shows.colour and one.shape != shows.shape
        ]
        cases.append(Case(shows, others[rng.integers(len(others))], seed))
    return cases


def drawn(blender: Blender, request: BlendRequest) -> Image.Image:
    """The one picture of a request."""
    (image,) = (event.image for event in blender.run(request) if isinstance(event, BlendOutput))
    return image


def seam(picture: Image.Image, mask: Image.Image) -> float:
    """The step of the mean colour between the pixels on both sides of a mask's edge, of 255, in the worst channel."""
    pixels, inside = np.asarray(picture, np.float64), np.asarray(mask) > 0
    both = inside & grown(~inside), ~inside & grown(inside)
    within, outside = (pixels[ring].mean(axis=0) for ring in both)
    return float(np.abs(within - outside).max())


def deep_seam(picture: Image.Image, mask: Image.Image) -> float:
    """The same, of the pixels 5 to 6 px from the edge on both sides: beyond the feather."""
    pixels, inside = np.asarray(picture, np.float64), np.asarray(mask) > 0

    def ring(side: np.ndarray) -> np.ndarray:
        for _ in range(5):
            side = ~grown(~side)
        return side & grown(~side)

    within, outside = (np.median(pixels[ring(side)], axis=0) for side in (inside, ~inside))
    return float(np.abs(within - outside).max())


def outside_is_kept(picture: Image.Image, case: Case) -> bool:
    """True if every pixel outside the mask is the source's."""
    kept = np.asarray(case.mask) == 0
    return bool(np.array_equal(np.asarray(picture)[kept], np.asarray(case.source)[kept]))


def is_as_asked(picture: Image.Image, case: Case) -> bool:
    """True if colour, ground and shape are those that were asked for."""
    return measure(picture) == case.asked


def is_removed(picture: Image.Image, case: Case) -> bool:
    """True if nearly all is of the ground's colour."""
    return colour_shares(picture)[case.shows.ground] > 0.97


def shape_kept(picture: Image.Image, case: Case) -> bool:
    """True if the picture shows the source's shape, in any colour."""
    return measure(picture).shape == case.shows.shape


def overlap(picture: Image.Image, case: Case) -> float:
    """Intersection over union of the picture's mark and the source's, pixel by pixel."""
    seen = measure(picture)
    before = mark_mask(case.source, case.shows.colour, case.shows.ground)
    after = mark_mask(picture, seen.colour, seen.ground)
    return float((before & after).sum() / (before | after).sum())


@dataclass(frozen=True)
class Redraws:
    """The cases, and what a model makes of them: half of them are enough for all but repainting."""

    blender: Blender
    cases: Sequence[Case]

    @cached_property
    def repainted(self) -> list[Image.Image]:
        return [drawn(self.blender, case.repainting()) for case in self.cases]

    @cached_property
    def removed(self) -> list[Image.Image]:
        return [drawn(self.blender, case.removal()) for case in self._half]

    @cached_property
    def refined_towards_itself(self) -> dict[float, list[Image.Image]]:
        return self._refined(lambda case: case.shows)

    @cached_property
    def refined_towards_another(self) -> dict[float, list[Image.Image]]:
        return self._refined(lambda case: case.asked)

    @cached_property
    def refined_without_words(self) -> dict[float, list[Image.Image]]:
        return self._refined(lambda case: None)

    @cached_property
    def refined_towards_another_colour(self) -> dict[float, list[Image.Image]]:
        return self._refined(lambda case: replace(case.shows, colour=case.asked.colour))

    @cached_property
    def upscaled(self) -> list[Image.Image]:
        """Twice as large by the default strength, and back in the source's size, which the measures take."""
        requests = [case.upscaling(2, Upscale.strength) for case in self._half]
        return [drawn(self.blender, one).resize(one.source.size, Image.Resampling.BOX) for one in requests]

    @property
    def _half(self) -> Sequence[Case]:
        return self.cases[: (len(self.cases) + 1) // 2]

    def _refined(self, towards: Callable[[Case], Seen | None]) -> dict[float, list[Image.Image]]:
        return {
            strength: [drawn(self.blender, case.refinement(strength, towards(case))) for case in self._half]
            for strength in STRENGTHS
        }

    def table(self) -> Iterator[Score]:
        """All rows, as they are measured."""
        yield self._mean("repainted: colour, ground and shape", is_as_asked, self.repainted, 0.9)
        yield self._mean("outside the mask the source, bit for bit", outside_is_kept, self.repainted, 1.0)
        yield self._steps("at the edge", seam, 1.0)
        yield self._steps("beyond the feather", deep_seam, 0.9)
        yield self._mean("removed without words", is_removed, self.removed, 0.9)
        for strength, floor in STRENGTHS.items():
            pictures = self.refined_towards_itself[strength]
            yield self._mean(f"refined by {strength}, own words: shape kept", shape_kept, pictures, floor)
        yield self._mean("upscaled: shape kept", shape_kept, self.upscaled, 0.95)
        yield self._mean("upscaled: overlap", overlap, self.upscaled, 0.95)
        yield from self._overlaps("own words", self.refined_towards_itself)
        yield from self._overlaps("another shape", self.refined_towards_another)

    def refinements(self) -> Iterator[str]:
        """For each kind of words, how many keep the source's shape by each strength, and how much of it overlaps."""
        for words, refined in (
            ("towards their own words", self.refined_towards_itself),
            ("without words", self.refined_without_words),
            ("towards another colour", self.refined_towards_another_colour),
            ("towards another shape", self.refined_towards_another),
        ):
            for name, measured in (("shape kept", shape_kept), ("overlap", overlap)):
                yield f"refined {words}: {name}".ljust(44) + "".join(
                    f" {strength}: {self._average(measured, pictures):6.3f}" for strength, pictures in refined.items()
                )

    def _steps(self, where: str, step: Callable[[Image.Image, Image.Image], float], floor: float) -> Score:
        steps = [step(*pair) for pair in zip(self.repainted, (case.mask for case in self.cases), strict=True)]
        name = f"step {where} under {SEAM} (worst {max(steps):.1f})"
        return Score(name, float(np.less(steps, SEAM).mean()), floor)

    def _overlaps(self, words: str, refined: dict[float, list[Image.Image]]) -> Iterator[Score]:
        """How much less of the shape is kept the greater the strength is: each must be less than the one before."""
        means = [self._average(overlap, pictures) for pictures in refined.values()]
        for strength, mean, following in zip(refined, means, [*means[1:], 0.0], strict=True):
            yield Score(f"refined by {strength}, {words}: overlap", mean, following)

    def _mean(
        self, name: str, is_right: Callable[[Image.Image, Case], float], pictures: Sequence[Image.Image], floor: float
    ) -> Score:
        return Score(name, self._average(is_right, pictures), floor)

    def _average(self, measured: Callable[[Image.Image, Case], float], pictures: Sequence[Image.Image]) -> float:
        return float(np.mean([measured(*pair) for pair in zip(pictures, self.cases, strict=False)]))

    def sheet(self) -> Image.Image:
        """A column a case: the source with its box, repainted, emptied, and refined towards another shape."""
        sources = [_with_box(case) for case in self.cases]
        return _sheet([sources, self.repainted, self.removed, *self.refined_towards_another.values()])


def _with_box(case: Case) -> Image.Image:
    picture, box = case.source, case.mask.getbbox()
    assert box is not None, "every case has a box"
    ImageDraw.Draw(picture).rectangle(box, outline="black")
    return picture


def _sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    side, gap = 72, 4  # px
    sheet = Image.new("RGB", (SHOWN * (side + gap) + gap, len(rows) * (side + gap) + gap), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row[:SHOWN]):
            small = picture.resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (gap + x * (side + gap), gap + y * (side + gap)))
    return sheet


def redraws(folder: str, count: int) -> Redraws:
    """Of a model's folder or name, in float32. Raises: CheckpointError."""
    return Redraws(open_blender(locate(folder), ms.float32, Residency(), EmbedsCache()), some_cases(count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=50)
    given = parser.parse_args()
    all_redraws = redraws(given.folder, given.count)
    for score in all_redraws.table():
        print(score, flush=True)
    for row in all_redraws.refinements():
        print(row, flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    all_redraws.sheet().save(given.out / "redraws.png", optimize=True)


if __name__ == "__main__":
    main()
