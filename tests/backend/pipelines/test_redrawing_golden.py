"""Pipelines that redraw pictures against diffusers', on small random checkpoints; where it is wrong, in its way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor

from kandinsky_backend.pipelines import (
    KandinskyImg2ImgCombinedPipeline,
    KandinskyInpaintCombinedPipeline,
    KandinskyPriorPipeline,
)
from kandinsky_backend.pipelines.combined import with_prior
from kandinsky_backend.schedulers import SCHEDULERS
from tests.golden.compare import assert_close
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
from tests.golden.reference_ways import ReferenceImg2Img, ReferenceInpaint, prepared
from tests.random_checkpoint import write_checkpoint

GOLDEN = Path(__file__).parents[2] / "golden" / "redrawing.npz"


def golden(name: str) -> np.ndarray:
    with np.load(GOLDEN) as arrays:
        return arrays[name]


@pytest.fixture(scope="module")
def gentle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    def written(size: str) -> Path:
        folder = tmp_path_factory.mktemp(size)
        write_checkpoint(folder, size)
        write_gentle_decoder(folder / "decoder", folder / "gentle")
        return folder / "gentle"

    return written


@pytest.fixture(scope="module")
def img2img(gentle: Callable[[str], Path]) -> ReferenceImg2Img:
    return ReferenceImg2Img.from_pretrained(gentle("tiny_a"))


@pytest.fixture(scope="module")
def inpaint(gentle: Callable[[str], Path]) -> ReferenceInpaint:
    return ReferenceInpaint.from_pretrained(gentle("tiny_inpaint"))


def output(pipeline: Any, case: RedrawingCase, **pictures: Any) -> np.ndarray:
    kind = SCHEDULERS[case.scheduler]
    changed = pipeline.with_scheduler(kind.from_config(pipeline.scheduler.config, **CHANGES[case.scheduler]))
    changed.set_progress_bar_config(disable=True)
    options = {"height": HEIGHT, "width": WIDTH, "num_inference_steps": STEPS, **case.options}
    embeds = map(Tensor, case.embeds(pipeline.unet.config.cross_attention_dim))
    (images,) = changed(
        case.prompt,
        **pictures,
        **dict(zip(("image_embeds", "negative_image_embeds"), embeds, strict=True)),
        generator=generator(),
        output_type="ms",
        **options,
    )
    return kept(images.asnumpy())


@pytest.mark.parametrize("case", IMG2IMG_CASES, ids=lambda case: case.name)
def test_image_to_image_matches_the_reference(img2img: ReferenceImg2Img, case: RedrawingCase) -> None:
    ours = output(img2img, case, image=[picture(n) for n in range(case.rows)])
    assert_close(f"image to image: {case.name}", ours, golden(f"img2img/{case.name}"))


@pytest.mark.parametrize("case", INPAINT_CASES, ids=lambda case: case.name)
def test_inpainting_matches_the_reference(inpaint: ReferenceInpaint, case: RedrawingCase) -> None:
    pictures = [picture(n) for n in range(case.rows)]
    ours = output(inpaint, case, image=pictures, mask_image=masks(case.rows))
    assert_close(f"inpainting: {case.name}", ours, golden(f"inpaint/{case.name}"))


def test_the_reference_s_way_to_prepare_masks_is_known() -> None:
    assert np.array_equal(prepared(small_masks()), golden("masks"))


@pytest.mark.parametrize(
    ("kind", "decoder", "name", "pictures"),
    [
        (KandinskyImg2ImgCombinedPipeline, "img2img", "img2img", {"strength": 0.5}),
        (KandinskyInpaintCombinedPipeline, "inpaint", "inpaint", {"mask_image": mask(3)}),
    ],
)
def test_prior_and_decoder_in_one_match_the_reference(
    request: pytest.FixtureRequest, kind: Any, decoder: str, name: str, pictures: dict[str, Any]
) -> None:
    alone = request.getfixturevalue(decoder)
    changed = SCHEDULERS["DDIMScheduler"].from_config(alone.scheduler.config, **CHANGES["DDIMScheduler"])
    prior = KandinskyPriorPipeline.from_pretrained(
        Path(request.getfixturevalue("img2img").name_or_path).parent / "prior"
    )
    reference = type(kind.__name__, (kind,), {"_decoder": type(alone)})
    pipeline = reference(**with_prior(alone.with_scheduler(changed).components, prior.components))
    pipeline.set_progress_bar_config(disable=True)
    options = {"height": HEIGHT, "width": WIDTH, "generator": generator(), "output_type": "ms", **COMBINED}
    (images,) = pipeline("a cat", image=picture(1), **options, **pictures)
    assert_close(f"combined: {name}", kept(images.asnumpy()), golden(f"combined/{name}"))
