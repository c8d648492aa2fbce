"""Write pipelines.npz: diffusers' pipelines on small random checkpoints. Needs torch, diffusers and transformers 4.57.

The checkpoints are written with our own interpreter, the rest runs with the reference's:

    python -m tests.random_checkpoint FOLDER/tiny_a --size tiny_a
    python -m tests.random_checkpoint FOLDER/tiny_b --size tiny_b
    python -m tests.golden.make_pipelines FOLDER

The gentle decoders are copied from the others: FOLDER/tiny_a/gentle, FOLDER/tiny_b/gentle. With OMP_NUM_THREADS=1 the
same machine gives the same bits again, and another CPU does not: words after FOLDER have only the arrays written whose
names contain one of them, and the others left as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import KandinskyPipeline, KandinskyPriorPipeline

from tests.golden.make_schedulers import draw_noise_with_numpy
from tests.golden.pipeline_cases import (
    DECODER_CASES,
    GENTLE_CASES,
    PRIOR_CASES,
    SCHEDULER_CHANGES,
    SIZES,
    WHOLE,
    WHOLE_DECODER,
    DecoderCase,
    PriorCase,
    decoder_options,
    embeds_of,
    generator,
    items_of,
    kept,
    prior_options,
    write_gentle_decoder,
)


class UniPCMultistepScheduler(diffusers.UniPCMultistepScheduler):
    """Takes the generator that the pipeline gives every scheduler: the reference's own raises a TypeError."""

    def step(self, *args: Any, generator: np.random.Generator, **options: Any) -> Any:
        return super().step(*args, **options)


def prior_output(prior: KandinskyPriorPipeline, case: PriorCase) -> tuple[np.ndarray, np.ndarray]:
    options = {**prior_options(case), "generator": generator()}
    if case.weights is None:
        embeds, negative = prior(items_of(case), **options).to_tuple()
    else:
        embeds, negative = prior.interpolate(items_of(case), case.weights, **options).to_tuple()
    return embeds.numpy(), negative.numpy()


def decoder_output(decoder: KandinskyPipeline, case: DecoderCase, embeds: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    images = decoder(
        case.prompt,
        image_embeds=torch.from_numpy(embeds[0]),
        negative_image_embeds=torch.from_numpy(embeds[1]),
        generator=generator(),
        output_type="pt",
        **decoder_options(case, decoder.movq_scale_factor),
    ).images
    return kept(images.numpy())


def outputs(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    prior = KandinskyPriorPipeline.from_pretrained(folder / "prior")
    write_gentle_decoder(folder / "decoder", folder / "gentle")
    decoders = {name: KandinskyPipeline.from_pretrained(folder / name) for name in ("decoder", "gentle")}
    draw_noise_with_numpy()
    for pipeline in (prior, *decoders.values()):
        pipeline.set_progress_bar_config(disable=True)
    for case in PRIOR_CASES:
        found[f"prior/{case.name}/embeds"], found[f"prior/{case.name}/negative"] = prior_output(prior, case)
    found["whole"] = decoder_output(decoders[WHOLE_DECODER.decoder], WHOLE_DECODER, prior_output(prior, WHOLE))
    width = decoders["gentle"].unet.config.cross_attention_dim
    for case in GENTLE_CASES:
        found[f"gentle/{case.name}"] = decoder_output(decoders[case.decoder], case, embeds_of(case, width))
    config = decoders["decoder"].scheduler.config
    for case in DECODER_CASES:
        decoder = decoders[case.decoder]
        kind = globals().get(case.scheduler) or getattr(diffusers, case.scheduler)
        decoder.scheduler = kind.from_config(config, **SCHEDULER_CHANGES[case.scheduler])
        found[f"decoder/{case.name}"] = decoder_output(decoder, case, embeds_of(case, width))
    return found


def main() -> None:
    folder, words = Path(sys.argv[1]), sys.argv[2:] or [""]
    file = Path(__file__).with_name("pipelines.npz")
    arrays = {f"{size}/{name}": array for size in SIZES for name, array in outputs(folder / size).items()}
    with np.load(file) as before:
        kept_arrays = {name: before[name] for name in arrays if not any(word in name for word in words)}
    np.savez_compressed(file, **(arrays | kept_arrays))
    print(f"wrote {len(arrays) - len(kept_arrays)} arrays and left {len(kept_arrays)}")


if __name__ == "__main__":
    main()
