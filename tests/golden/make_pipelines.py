"""Write pipelines.npz: diffusers' pipelines on small random checkpoints. Needs torch, diffusers and transformers 4.57.

The checkpoints are written with our own interpreter, the rest runs with the reference's:

    python -m tests.random_checkpoint FOLDER/tiny_a --size tiny_a
    python -m tests.random_checkpoint FOLDER/tiny_b --size tiny_b
    python -m tests.golden.make_pipelines FOLDER

The gentle decoders are copied from the others: FOLDER/tiny_a/gentle, FOLDER/tiny_b/gentle. With OMP_NUM_THREADS=1 the
same machine gives the same bits again.
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
    decoder = KandinskyPipeline.from_pretrained(folder / "decoder")
    draw_noise_with_numpy()
    for pipeline in (prior, decoder):
        pipeline.set_progress_bar_config(disable=True)
    for case in PRIOR_CASES:
        found[f"prior/{case.name}/embeds"], found[f"prior/{case.name}/negative"] = prior_output(prior, case)
    found["whole"] = decoder_output(decoder, WHOLE_DECODER, prior_output(prior, WHOLE))
    config = decoder.scheduler.config
    for case in DECODER_CASES:
        kind = getattr(diffusers, case.scheduler)
        decoder.scheduler = kind.from_config(config, **SCHEDULER_CHANGES[case.scheduler])
        embeds = embeds_of(case, decoder.unet.config.cross_attention_dim)
        found[f"decoder/{case.name}"] = decoder_output(decoder, case, embeds)
    return found


def gentle_outputs(folder: Path) -> dict[str, Any]:
    write_gentle_decoder(folder / "decoder", folder / "gentle")
    decoder = KandinskyPipeline.from_pretrained(folder / "gentle")
    draw_noise_with_numpy()
    decoder.set_progress_bar_config(disable=True)
    width = decoder.unet.config.cross_attention_dim
    return {f"gentle/{case.name}": decoder_output(decoder, case, embeds_of(case, width)) for case in GENTLE_CASES}


def main() -> None:
    folder = Path(sys.argv[1])
    arrays: dict[str, Any] = {}
    for size in SIZES:
        found = outputs(folder / size) | gentle_outputs(folder / size)
        arrays |= {f"{size}/{name}": array for name, array in found.items()}
    np.savez_compressed(Path(__file__).with_name("pipelines.npz"), **arrays)
    print(f"wrote {len(arrays)} arrays")


if __name__ == "__main__":
    main()
