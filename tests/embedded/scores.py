"""How well a model draws what it is asked for, on pictures measured by measure.py.

What draws is behind `Painter`, so that the scores themselves are tested with a painter known to be right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from kandinsky_backend.embedded.train.captions import Said, caption
from kandinsky_backend.embedded.train.scenes import COLOURS, PALETTE, SHAPES, combinations, draw, named_scene
from kandinsky_backend.families import DEFAULT, locate
from tests.embedded.measure import Seen, colour_shares, measure

Floats = npt.NDArray[np.float64]
Item = str | Image.Image

SWEEP_STEPS = 9
SWEEP_TOLERANCE = 0.04  # of the way from one colour to the other that a step may fall back: noise of the measurement


@dataclass(frozen=True)
class Wish:
    """A blend to be drawn."""

    items: Sequence[Item]
    weights: Sequence[float]
    seed: int
    negative: str = ""
    steps: int = locate(DEFAULT).sampling.steps


class Painter(Protocol):
    """Draws blends. The same wish gives the same picture."""

    def paint(self, wishes: Sequence[Wish]) -> list[Image.Image]: ...

    def reconstruct(self, picture: Image.Image) -> Image.Image:
        """The picture to latents and back."""
        ...


@dataclass(frozen=True)
class Agreement:
    """Shares of the pictures, 0 to 1, that show the right thing."""

    colour: float
    ground: float
    shape: float


def prompts_followed(painter: Painter, asked: Sequence[Seen]) -> Agreement:
    """English prompts; picture i has seed i."""
    return agreement(asked, _painted(painter, asked, "en"))


def agreement(asked: Sequence[Seen], seen: Sequence[Seen]) -> Agreement:
    """How often each of the three is as asked."""
    pairs = list(zip(asked, seen, strict=True))
    shares = (
        np.mean([getattr(a, name) == getattr(b, name) for a, b in pairs]) for name in ("colour", "ground", "shape")
    )
    return Agreement(*map(float, shares))


def colours_as_in_english(painter: Painter, asked: Sequence[Seen], language: str) -> float:
    """Share of the prompts that get, from the same seed, the same two colours in `language` as in English."""
    both = (_painted(painter, asked, words) for words in ("en", language))
    return float(np.mean([_colours(english) == _colours(other) for english, other in zip(*both, strict=True)]))


def pictures_kept(painter: Painter, shown: Sequence[Seen]) -> float:
    """Share of drawn pictures whose blend of weight 1 keeps both colours."""
    blends = painter.paint([Wish([_drawn(seen, i)], [1.0], seed=i) for i, seen in enumerate(shown)])
    return float(
        np.mean([_colours(measure(blend)) == _colours(seen) for blend, seen in zip(blends, shown, strict=True)])
    )


def sweeps_monotone(painter: Painter, ends: Sequence[tuple[Seen, Seen]]) -> float:
    """Share of the sweeps between two drawn pictures in which the mark's colour never turns back."""
    sweeps = [_sweep(*pair, seed=i) for i, pair in enumerate(ends)]
    frames = iter(painter.paint([wish for sweep in sweeps for wish in sweep]))
    found = [_positions([next(frames) for _ in sweep], *pair) for sweep, pair in zip(sweeps, ends, strict=True)]
    return float(np.mean(list(map(_never_turns_back, found))))


def negatives_heeded(painter: Painter, asked: Sequence[Seen]) -> float:
    """Share of the prompts of which less is in the mark's colour when that colour is the negative prompt."""
    plain = [_wish(seen, "en", i) for i, seen in enumerate(asked)]
    led_away = [
        replace(wish, negative=caption(Said(colour=seen.colour), "en")) for wish, seen in zip(plain, asked, strict=True)
    ]
    pairs = zip(painter.paint(plain), painter.paint(led_away), strict=True)
    shares = [
        [colour_shares(picture)[seen.colour] for picture in pair] for pair, seen in zip(pairs, asked, strict=True)
    ]
    return float(np.mean([without < with_ for with_, without in shares]))


def reconstruction_psnr(painter: Painter, shown: Sequence[Seen]) -> float:
    """Mean PSNR in dB of drawn pictures that went to latents and back."""
    pictures = [_drawn(seen, i) for i, seen in enumerate(shown)]
    return float(np.mean([psnr(picture, painter.reconstruct(picture)) for picture in pictures]))


def psnr(a: Image.Image, b: Image.Image) -> float:
    """Peak signal to noise ratio of two 8-bit pictures, in dB."""
    return float(10 * np.log10(255**2 / max(np.square(_pixels(a) - _pixels(b)).mean(), 1e-9)))


# --- what is asked ---------------------------------------------------------------------------------------------------


def some_combinations(count: int, *, unseen: bool) -> list[Seen]:
    """`count` different combinations that training saw, or that were held out; always the same ones."""
    chosen = np.random.default_rng(1).permutation(len(combinations(unseen=unseen)))[:count]
    return [Seen(*combinations(unseen=unseen)[i]) for i in chosen]


def some_sweeps(count: int) -> list[tuple[Seen, Seen]]:
    """Ends of the same shape and ground in two colours, no mixture of which comes near the ground."""
    rng = np.random.default_rng(2)
    sweeps = []
    while len(sweeps) < count:
        first, second, ground = rng.choice(COLOURS, 3, replace=False)
        if _clear_of(ground, first, second):
            shape = SHAPES[rng.integers(len(SHAPES))]
            sweeps.append((Seen(shape, str(first), str(ground)), Seen(shape, str(second), str(ground))))
    return sweeps


def _clear_of(ground: str, first: str, second: str) -> bool:
    mixtures = np.linspace(PALETTE[first], PALETTE[second], SWEEP_STEPS)
    return float(np.linalg.norm(mixtures - PALETTE[ground], axis=1).min()) > 110


def _wish(seen: Seen, language: str, seed: int) -> Wish:
    return Wish([caption(Said(seen.shape, seen.colour, seen.ground, "one"), language)], [1.0], seed)


def _painted(painter: Painter, asked: Sequence[Seen], language: str) -> list[Seen]:
    """What is seen in the pictures of prompts; picture i has seed i."""
    return list(map(measure, painter.paint([_wish(seen, language, i) for i, seen in enumerate(asked)])))


def _colours(seen: Seen) -> tuple[str, str]:
    return seen.colour, seen.ground


def _drawn(seen: Seen, layout: int) -> Image.Image:
    return draw(named_scene(seen.shape, seen.colour, seen.ground, layout=layout))


# --- sweeps ----------------------------------------------------------------------------------------------------------


def _sweep(first: Seen, second: Seen, seed: int) -> list[Wish]:
    pictures = [_drawn(first, seed), _drawn(second, seed)]
    return [Wish(pictures, [1 - weight, weight], seed) for weight in np.linspace(0, 1, SWEEP_STEPS).tolist()]


def _positions(blends: Sequence[Image.Image], first: Seen, second: Seen) -> Floats:
    """How far the mark's colour is from the first to the second, 0 to 1, in each blend."""
    ends = np.array([PALETTE[first.colour], PALETTE[second.colour]], np.float64)
    line = ends[1] - ends[0]
    return np.array([(mark_colour(blend, first.ground) - ends[0]) @ line / (line @ line) for blend in blends])


def _never_turns_back(positions: Floats) -> bool:
    return bool((np.diff(positions) >= -SWEEP_TOLERANCE).all() and positions[-1] - positions[0] > 0.5)


def mark_colour(picture: Image.Image, ground: str) -> Floats:
    """The median RGB of the pixels far from the ground's colour; of all pixels where none is."""
    pixels = _pixels(picture).reshape(-1, 3)
    far = np.linalg.norm(pixels - PALETTE[ground], axis=1) > 80
    return np.median(pixels[far] if far.any() else pixels, axis=0)


def _pixels(picture: Image.Image) -> Floats:
    return np.asarray(picture.convert("RGB"), np.float64)
