"""Compare samplers at few steps with 50 steps of DDIM: `python -m tests.embedded.samplers FOLDER OUT`.

FOLDER holds prior/ and decoder/. The same prompts are drawn from the same noise by each sampler, 16 at a time; after
each 16, OUT has the table so far (samplers.md) and the sheet (samplers.png). Takes minutes for each 16.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from kandinsky_backend import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.embedded.train.captions import Said, caption
from kandinsky_backend.embedded.train.scenes import SIZE
from kandinsky_backend.images import to_pil
from kandinsky_backend.schedulers.samplers import SAMPLERS, sampler
from tests.embedded import scores
from tests.embedded.measure import Seen, measure
from tests.embedded.scores import Agreement

BATCH = 16
STEPS = (8, 10, 12, 15, 20)
NAMES = [name for name in SAMPLERS if name != "own"]
THUMBNAIL = 80  # px
SHOWN = 3  # prompts of the sheet
MARGIN = 110  # px, for the samplers' names

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Run:
    """A sampler and how many steps it takes."""

    sampler: str
    steps: int


REFERENCE = Run("ddim", 50)
YARDSTICK = Run("ddim", 100)  # how far more steps of the same sampler move a picture
RUNS = [REFERENCE, YARDSTICK, *(Run(name, steps) for steps in STEPS for name in NAMES)]


@dataclass
class Drawn:
    """What was asked for so far, and the pictures (N, SIZE, SIZE, 3) in 0..1 that each run made of it."""

    asked: list[Seen] = field(default_factory=list)
    pictures: dict[Run, list[Pixels]] = field(default_factory=dict)

    def row(self, run: Run) -> str:
        """A row of the table, in markdown."""
        errors = self._errors(run)
        agreement = scores.agreement(self.asked, [measure(picture) for picture in self._pil(run)])
        rmse = f"{255 * np.sqrt(errors).mean():.1f}" if run != REFERENCE else "0"
        psnr = f"{-10 * np.log10(errors).mean():.1f}" if run != REFERENCE else ""
        worst = f"{-10 * np.log10(errors.max()):.1f}" if run != REFERENCE else ""
        return f"| {run.sampler} | {run.steps} | {rmse} | {psnr} | {worst} | {_percents(agreement)} |"

    def _errors(self, run: Run) -> npt.NDArray[np.float64]:
        """Mean squared error of each picture against the reference's."""
        ours, reference = (np.concatenate(self.pictures[which]).astype(np.float64) for which in (run, REFERENCE))
        return np.square(ours - reference).mean(axis=(1, 2, 3))

    def _pil(self, run: Run) -> list[Image.Image]:
        return to_pil(np.concatenate(self.pictures[run]))

    def sheet(self) -> Image.Image:
        """A row a sampler; for each prompt the reference, then the numbers of steps in rising order."""
        columns = [(i, run_steps) for i in range(SHOWN) for run_steps in (0, *STEPS)]
        sheet = Image.new("RGB", (MARGIN + len(columns) * THUMBNAIL, (len(NAMES) + 1) * THUMBNAIL - 60), "white")
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
        for x, (_, steps) in enumerate(columns):
            pen.text((MARGIN + x * THUMBNAIL + 4, 1), f"{steps}" if steps else "ddim 50", "black", font)
        for y, name in enumerate(NAMES):
            top = 20 + y * THUMBNAIL
            pen.text((4, top + THUMBNAIL // 2 - 8), name, "black", font)
            for x, (prompt, steps) in enumerate(columns):
                picture = self._pil(Run(name, steps) if steps else REFERENCE)[prompt]
                sheet.paste(picture.resize((THUMBNAIL - 2,) * 2), (MARGIN + x * THUMBNAIL, top))
        return sheet


def _percents(agreement: Agreement) -> str:
    return " | ".join(f"{100 * share:.0f}" for share in (agreement.colour, agreement.ground, agreement.shape))


class Sampled:
    """The small model, drawing the same embeddings from the same noise with one sampler after the other."""

    def __init__(self, folder: Path) -> None:
        self.prior = KandinskyPriorPipeline.from_pretrained(folder / "prior")
        self.decoder = KandinskyPipeline.from_pretrained(folder / "decoder")
        self.own = self.decoder.scheduler
        for pipeline in (self.prior, self.decoder):
            pipeline.set_progress_bar_config(disable=True)

    def draw(self, asked: Sequence[Seen], first_seed: int) -> Iterator[tuple[Run, Pixels]]:
        """The pictures of English prompts by each of RUNS; picture i has seed first_seed + i."""
        seeds = range(first_seed, first_seed + len(asked))
        prompts = [caption(Said(seen.shape, seen.colour, seen.ground, "one"), "en") for seen in asked]
        embeds, nothing = self.prior(prompts, generator=[np.random.default_rng(seed) for seed in seeds])
        shape = (1, *self.decoder.latent_shape(SIZE, SIZE))
        for run in RUNS:
            self.decoder.scheduler = sampler(run.sampler, self.own)
            generators = [np.random.default_rng(seed) for seed in seeds]
            latents = np.concatenate([rng.standard_normal(shape, dtype=np.float32) for rng in generators])
            yield (
                run,
                self.decoder(
                    "",
                    image_embeds=embeds,
                    negative_image_embeds=nothing,
                    height=SIZE,
                    width=SIZE,
                    num_inference_steps=run.steps,
                    generator=generators,
                    latents=latents,
                    output_type="np",
                )[0],
            )


def _batches(count: int) -> Iterator[list[Seen]]:
    """Half of each batch pairs that training saw, half pairs that were held out; no combination twice."""
    half = BATCH // 2
    seen, unseen = (scores.some_combinations(count * half, unseen=unseen) for unseen in (False, True))
    for i in range(0, count * half, half):
        yield seen[i : i + half] + unseen[i : i + half]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--batches", type=int, default=2, help="of 16 prompts (default 2)")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    model, drawn = Sampled(given.folder), Drawn()
    for batch in _batches(given.batches):
        for run, pictures in model.draw(batch, len(drawn.asked)):
            drawn.pictures.setdefault(run, []).append(pictures)
            print(run, flush=True)
        drawn.asked += batch
        table = [drawn.row(run) for run in sorted(RUNS)]
        (given.out / "samplers.md").write_text("\n".join(table) + "\n", encoding="utf-8")
        drawn.sheet().save(given.out / "samplers.png")
        print(f"{len(drawn.asked)} prompts\n" + "\n".join(table), flush=True)


if __name__ == "__main__":
    main()
