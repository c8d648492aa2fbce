"""How well drafts foretell results: `python -m tests.embedded.drafts FOLDER`, where FOLDER holds prior/ and decoder/.

Prints for each sampler and number of steps which share of the results has the colours and the shape of its draft:
results of the reference's sampling, and of the published model's. The small model's own is that of drafts. Half of the
blends are single prompts; the others mix one with a prompt of another shape and colour. The setting of drafts was
chosen on the blends 0 to 49: `--first 50` and beyond says how it does on others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
from PIL import Image

from kandinsky_backend import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.embedded.train.captions import Said, caption
from kandinsky_backend.embedded.train.scenes import SIZE
from kandinsky_backend.families import KANDINSKY_2_1, REFERENCE
from kandinsky_backend.schedulers.samplers import SAMPLERS, sampler
from plugin_client.drafts import DRAFT_SAMPLER, DRAFT_STEPS
from tests.embedded.measure import Seen, measure
from tests.embedded.scores import some_combinations

BATCH = 10
MIXED = (0.8, 0.2)  # weights of a mixed blend


@dataclass(frozen=True)
class Manner:
    """A sampler and how many steps it takes."""

    sampler: str
    steps: int


REFERENCE_RESULT = Manner(*REFERENCE)
PUBLISHED_RESULT = Manner(*KANDINSKY_2_1.sampling)
RESULTS = (REFERENCE_RESULT, PUBLISHED_RESULT)
DRAFT = Manner(DRAFT_SAMPLER, DRAFT_STEPS)


class Drawer:
    """The small model, drawing the same embeddings from the same noise in several manners; blend i has the seed i."""

    def __init__(self, folder: Path) -> None:
        self._prior = KandinskyPriorPipeline.from_pretrained(folder / "prior")
        self._decoder = KandinskyPipeline.from_pretrained(folder / "decoder")
        self._own = self._decoder.scheduler
        for pipeline in (self._prior, self._decoder):
            pipeline.set_progress_bar_config(disable=True)

    def draw(self, blends: range, manners: Sequence[Manner]) -> dict[Manner, list[Image.Image]]:
        """The pictures of the blends with these numbers in each manner."""
        drawn: dict[Manner, list[Image.Image]] = {manner: [] for manner in manners}
        wishes = some_combinations(blends.stop, unseen=False)
        for first in range(0, len(blends), BATCH):
            seeds = blends[first : first + BATCH]
            embeds, nothing = self._embed(wishes, seeds)
            for manner in manners:
                drawn[manner] += self._decode(embeds, nothing, seeds, manner)
        return drawn

    def _embed(self, wishes: Sequence[Seen], seeds: range) -> tuple[ms.Tensor, ms.Tensor]:
        """The embeddings of the blends, and of nothing."""
        prompts = [_prompt(wishes[n % len(wishes)]) for n in seeds]
        others = [_prompt(wishes[(n + 1) % len(wishes)]) for n in seeds]
        embeds, nothing = self._imagine(prompts, seeds)
        share = ms.Tensor(np.array([[0.0 if n % 2 == 0 else MIXED[1]] for n in seeds], np.float32))
        return embeds * (1 - share) + self._imagine(others, seeds)[0] * share, nothing

    def _imagine(self, prompts: list[str], seeds: range) -> tuple[ms.Tensor, ms.Tensor]:
        return self._prior(prompts, generator=[np.random.default_rng(n) for n in seeds])

    def _decode(self, embeds: ms.Tensor, nothing: ms.Tensor, seeds: range, manner: Manner) -> list[Image.Image]:
        self._decoder.scheduler = sampler(manner.sampler, self._own)
        shape = (1, *self._decoder.latent_shape(SIZE, SIZE))
        noise = [np.random.default_rng(n).standard_normal(shape, dtype=np.float32) for n in seeds]
        pictures: list[Image.Image] = self._decoder(
            "",
            image_embeds=embeds,
            negative_image_embeds=nothing,
            height=SIZE,
            width=SIZE,
            num_inference_steps=manner.steps,
            latents=np.concatenate(noise),
        )[0]
        return pictures


def foretold(drafts: Sequence[Image.Image], results: Sequence[Image.Image]) -> float:
    """Which share of the results, 0 to 1, has the colours and the shape of its draft."""
    return float(np.mean([measure(draft) == measure(result) for draft, result in zip(drafts, results, strict=True)]))


def _prompt(seen: Seen) -> str:
    return caption(Said(seen.shape, seen.colour, seen.ground, "one"), "en")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=0, help="number of the first blend, which is its seed (default 0)")
    parser.add_argument("--count", type=int, default=50, help="of blends (default 50)")
    fast = [name for name in SAMPLERS if name != "p_sampler"]
    parser.add_argument("--samplers", nargs="+", choices=fast, default=fast, help="(default: all)")
    parser.add_argument("--steps", nargs="+", type=int, default=[4, 6, 8, 10, 12], help="(default 4 6 8 10 12)")
    given = parser.parse_args()
    manners = [Manner(name, steps) for name in given.samplers for steps in given.steps]
    drawn = Drawer(given.folder).draw(range(given.first, given.first + given.count), [*RESULTS, *manners])
    print("drafts".ljust(18), *(f"{result.sampler} {result.steps}".rjust(16) for result in RESULTS))
    for manner in manners:
        shares = (foretold(drawn[manner], drawn[result]) for result in RESULTS)
        print(f"{manner.sampler:14} {manner.steps:3}", *(f"{share:16.3f}" for share in shares))


if __name__ == "__main__":
    main()
