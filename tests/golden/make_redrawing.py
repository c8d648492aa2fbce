"""Write redrawing.npz: diffusers' pipelines that redraw pictures. Needs torch, diffusers and transformers 4.57.

    python -m tests.random_checkpoint FOLDER/tiny_a --size tiny_a
    python -m tests.random_checkpoint FOLDER/tiny_inpaint --size tiny_inpaint
    python -m tests.golden.make_redrawing FOLDER

The first two with our own interpreter, the last with the reference's; set OMP_NUM_THREADS=1 as for make_pipelines.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import (
    KandinskyImg2ImgCombinedPipeline,
    KandinskyImg2ImgPipeline,
    KandinskyInpaintCombinedPipeline,
    KandinskyInpaintPipeline,
    KandinskyPriorPipeline,
)
from diffusers.pipelines.kandinsky.pipeline_kandinsky_inpaint import prepare_mask

from tests.golden.make_schedulers import draw_noise_with_numpy
from tests.golden.pipeline_cases import generator, kept, picture, write_gentle_decoder
from tests.golden.redrawing_cases import (
    CHANGES,
    COMBINED,
    HEIGHT,
    IMG2IMG_CASES,
    INPAINT_CASES,
    STEPS,
    WIDTH,
    RedrawingCase,
    mask,
    masks,
    small_masks,
)

SIZE = {"height": HEIGHT, "width": WIDTH}


def repaired(pipeline: KandinskyImg2ImgPipeline) -> KandinskyImg2ImgPipeline:
    """Height and width in their order, and pixels as MoVQ gives them: neither is what the goldens are for."""
    preprocess = pipeline.image_processor.preprocess
    pipeline.image_processor.preprocess = lambda image, width, height: preprocess(image, height, width)
    pipeline.image_processor.postprocess = lambda pixels, output_type: pixels
    return pipeline


def output(pipeline: Any, case: RedrawingCase, pictures: dict[str, Any]) -> np.ndarray:
    pipeline.set_progress_bar_config(disable=True)
    own = pipeline.scheduler
    pipeline.scheduler = getattr(diffusers, case.scheduler).from_config(own.config, **CHANGES[case.scheduler])
    embeds, negative = (torch.from_numpy(values) for values in case.embeds(pipeline.unet.config.cross_attention_dim))
    images = pipeline(
        case.prompt,
        image_embeds=embeds,
        negative_image_embeds=negative,
        num_inference_steps=STEPS,
        generator=generator(),
        output_type="pt",
        **SIZE,
        **pictures,
        **case.options,
    ).images
    pipeline.scheduler = own
    return kept(images.numpy())


def combined(kind: Any, prior: KandinskyPriorPipeline, decoder: Any, **pictures: Any) -> np.ndarray:
    of_prior = {f"prior_{name}": part for name, part in prior.components.items()}
    pipeline = kind(**decoder.components, **of_prior)
    pipeline.set_progress_bar_config(disable=True)
    if "strength" in pictures:
        repaired(pipeline.decoder_pipe)
    changed = diffusers.DDIMScheduler.from_config(decoder.scheduler.config, **CHANGES["DDIMScheduler"])
    pipeline.decoder_pipe.scheduler = changed
    return kept(
        pipeline("a cat", generator=generator(), output_type="pt", **SIZE, **COMBINED, **pictures).images.numpy()
    )


def main() -> None:
    folder = Path(sys.argv[1])
    for size in ("tiny_a", "tiny_inpaint"):
        write_gentle_decoder(folder / size / "decoder", folder / size / "gentle")
    draw_noise_with_numpy()
    img2img = repaired(KandinskyImg2ImgPipeline.from_pretrained(folder / "tiny_a" / "gentle"))
    inpaint = KandinskyInpaintPipeline.from_pretrained(folder / "tiny_inpaint" / "gentle")
    prior = KandinskyPriorPipeline.from_pretrained(folder / "tiny_a" / "prior")
    found = {"masks": prepare_mask(torch.from_numpy(small_masks())).numpy()}
    for case in IMG2IMG_CASES:
        found[f"img2img/{case.name}"] = output(img2img, case, {"image": [picture(n) for n in range(case.rows)]})
    for case in INPAINT_CASES:
        pictures = {"image": [picture(n) for n in range(case.rows)], "mask_image": masks(case.rows)}
        found[f"inpaint/{case.name}"] = output(inpaint, case, pictures)
    found["combined/img2img"] = combined(
        KandinskyImg2ImgCombinedPipeline, prior, img2img, image=picture(1), strength=0.5
    )
    found["combined/inpaint"] = combined(
        KandinskyInpaintCombinedPipeline, prior, inpaint, image=picture(1), mask_image=mask(3)
    )
    np.savez_compressed(Path(__file__).with_name("redrawing.npz"), **found)
    print(f"wrote {len(found)} arrays")


if __name__ == "__main__":
    main()
