"""The calls of the Kandinsky 2.1 pages of diffusers and mindone, with only the imports changed.

They run against a stand-in hub that has small random models under the published names; sizes and steps are small.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import mindspore
import numpy as np
import pytest
from PIL import Image

from kandinsky_backend import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    DDPMScheduler,
    DiffusionPipeline,
    KandinskyCombinedPipeline,
    KandinskyImg2ImgCombinedPipeline,
    KandinskyImg2ImgPipeline,
    KandinskyInpaintCombinedPipeline,
    KandinskyInpaintPipeline,
    KandinskyPipeline,
    KandinskyPriorPipeline,
)
from kandinsky_backend.utils import load_image, make_image_grid
from tests.backend.hub_server import HubSettings, serve
from tests.random_checkpoint import write_checkpoint

PRIOR, DECODER = "kandinsky-community/kandinsky-2-1-prior", "kandinsky-community/kandinsky-2-1"
INPAINT = "kandinsky-community/kandinsky-2-1-inpaint"
SMALL: dict[str, Any] = {"height": 64, "width": 64, "num_inference_steps": 1}
PROMPT, NEGATIVE = "an alien made of cheese, claymation", "low quality, bad quality"


@pytest.fixture(scope="module")
def inpainting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder whose UNet is one for inpainting."""
    folder = tmp_path_factory.mktemp("inpainting")
    write_checkpoint(folder, "tiny_inpaint")
    return folder / "decoder"


@pytest.fixture(autouse=True)
def _hub(tiny_checkpoint: Path, inpainting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    repositories = {PRIOR: tiny_checkpoint / "prior", DECODER: tiny_checkpoint / "decoder", INPAINT: inpainting}
    with serve(repositories) as hub:
        HubSettings(monkeypatch, tmp_path / "home").connect(hub.url)
        yield
        huggingface_hub.close_session()


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[str, str]:
    for name, colour in (("cat.png", "orange"), ("starry_night.png", "navy")):
        Image.new("RGB", (40, 30), colour).save(tmp_path / name)
    return str(tmp_path / "cat.png"), str(tmp_path / "starry_night.png")


def test_text_to_image_as_diffusers_has_it() -> None:
    prior = KandinskyPriorPipeline.from_pretrained(PRIOR, torch_dtype=mindspore.float16).to("cuda")
    pipeline = KandinskyPipeline.from_pretrained(DECODER, torch_dtype=mindspore.float16).to("cuda")
    image_embeds, negative_image_embeds = prior(PROMPT, NEGATIVE, guidance_scale=1.0).to_tuple()
    image = pipeline(
        PROMPT,
        image_embeds=image_embeds,
        negative_prompt=NEGATIVE,
        negative_image_embeds=negative_image_embeds,
        **SMALL,
    ).images[0]
    assert image.size == (64, 64)
    out = prior("red cat, 4k photo")
    images = pipeline(PROMPT, image_embeds=out.image_embeds, negative_image_embeds=out.negative_image_embeds, **SMALL)
    assert len(images.images) == 1


def test_text_to_image_as_mindone_has_it(tmp_path: Path) -> None:
    prior = KandinskyPriorPipeline.from_pretrained(PRIOR, mindspore_dtype=mindspore.float16)
    out = prior("red cat, 4k photo", generator=np.random.Generator(np.random.PCG64(43)))
    pipeline = KandinskyPipeline.from_pretrained(DECODER, mindspore_dtype=mindspore.float16)
    image = pipeline("red cat, 4k photo", image_embeds=out[0], negative_image_embeds=out[1], **SMALL)[0][0]
    image.save(tmp_path / "cat.png")
    assert load_image(str(tmp_path / "cat.png")).size == (64, 64)


@pytest.mark.parametrize("kind", [AutoPipelineForText2Image, KandinskyCombinedPipeline])
def test_prior_and_decoder_in_one(kind: Any) -> None:
    pipeline = kind.from_pretrained(DECODER, torch_dtype=mindspore.float16)
    pipeline.enable_model_cpu_offload()
    result = pipeline(prompt=PROMPT, negative_prompt=NEGATIVE, prior_guidance_scale=1.0, guidance_scale=4.0, **SMALL)
    assert result.images[0] is result[0][0]


def test_interpolation_of_prompts_and_pictures(pictures: tuple[str, str]) -> None:
    prior = KandinskyPriorPipeline.from_pretrained(PRIOR, torch_dtype=mindspore.float16, use_safetensors=True).to(
        "cuda"
    )
    first, second = map(load_image, pictures)
    make_image_grid([first.resize((512, 512)), second.resize((512, 512))], rows=1, cols=2)
    prior_out = prior.interpolate(["a cat", first, second], [0.3, 0.3, 0.4])
    pipeline = KandinskyPipeline.from_pretrained(DECODER, torch_dtype=mindspore.float16, use_safetensors=True).to(
        "cuda"
    )
    assert pipeline("", **prior_out, **SMALL).images[0].size == (64, 64)
    image_embeds, negative_image_embeds = prior.interpolate(["a cat", first, second], [0.3, 0.3, 0.4])
    image = pipeline("", image_embeds=image_embeds, negative_image_embeds=negative_image_embeds, **SMALL)[0][0]
    assert image.size == (64, 64)


def test_the_tips_for_memory_and_schedulers() -> None:
    scheduler = DDPMScheduler.from_pretrained(DECODER, subfolder="scheduler", clip_sample=False)
    pipeline = DiffusionPipeline.from_pretrained(DECODER, scheduler=scheduler, torch_dtype=mindspore.float16).to("cuda")
    pipeline.enable_xformers_memory_efficient_attention()
    pipeline.enable_model_cpu_offload()
    assert (type(pipeline), pipeline.scheduler) == (KandinskyPipeline, scheduler)


def test_image_to_image_as_the_guide_has_it(pictures: tuple[str, str]) -> None:
    prior_pipeline = KandinskyPriorPipeline.from_pretrained(
        PRIOR, torch_dtype=mindspore.float16, use_safetensors=True
    ).to("cuda")
    pipeline = KandinskyImg2ImgPipeline.from_pretrained(
        DECODER, torch_dtype=mindspore.float16, use_safetensors=True
    ).to("cuda")
    original_image = load_image(pictures[0])
    original_image = original_image.resize((96, 64))
    image_embeds, negative_image_embeds = prior_pipeline(PROMPT, NEGATIVE).to_tuple()
    image = pipeline(
        PROMPT,
        negative_prompt=NEGATIVE,
        image=original_image,
        image_embeds=image_embeds,
        negative_image_embeds=negative_image_embeds,
        strength=0.3,
        **SMALL,
    ).images[0]
    grid = make_image_grid([original_image.resize((512, 512)), image.resize((512, 512))], rows=1, cols=2)
    assert (image.size, grid.size) == ((64, 64), (1024, 512))


def test_image_to_image_as_the_pipelines_own_page_has_it(pictures: tuple[str, str], tmp_path: Path) -> None:
    pipe_prior = KandinskyPriorPipeline.from_pretrained(PRIOR, torch_dtype=mindspore.float16)
    pipe_prior.to("cuda")
    image_emb, zero_image_emb = pipe_prior("A red cartoon frog, 4k", return_dict=False)
    pipe = KandinskyImg2ImgPipeline.from_pretrained(DECODER, torch_dtype=mindspore.float16)
    pipe.to("cuda")
    image = pipe(
        "A red cartoon frog, 4k",
        image=load_image(pictures[0]),
        image_embeds=image_emb,
        negative_image_embeds=zero_image_emb,
        strength=0.2,
        **SMALL,
    ).images
    image[0].save(tmp_path / "red_frog.png")
    assert load_image(str(tmp_path / "red_frog.png")).size == (64, 64)


@pytest.mark.parametrize("kind", [AutoPipelineForImage2Image, KandinskyImg2ImgCombinedPipeline])
def test_image_to_image_with_the_prior_in_one(kind: Any, pictures: tuple[str, str]) -> None:
    pipeline = kind.from_pretrained(DECODER, torch_dtype=mindspore.float16, use_safetensors=True)
    pipeline.enable_model_cpu_offload()
    original_image = load_image(pictures[0])
    original_image.thumbnail((32, 32))
    image = pipeline(prompt=PROMPT, negative_prompt=NEGATIVE, image=original_image, strength=0.3, **SMALL).images[0]
    assert image.size == (64, 64)


def test_inpainting_as_the_guide_has_it(pictures: tuple[str, str]) -> None:
    prior_pipeline = KandinskyPriorPipeline.from_pretrained(
        PRIOR, torch_dtype=mindspore.float16, use_safetensors=True
    ).to("cuda")
    pipeline = KandinskyInpaintPipeline.from_pretrained(
        INPAINT, torch_dtype=mindspore.float16, use_safetensors=True
    ).to("cuda")
    init_image = load_image(pictures[0]).resize((64, 64))
    mask: Any = np.zeros((64, 64), dtype=np.float32)
    mask[:20, 20:-20] = 1
    prior_output = prior_pipeline("a hat")
    output_image = pipeline("a hat", image=init_image, mask_image=mask, **prior_output, **SMALL).images[0]
    mask = Image.fromarray((mask * 255).astype("uint8"), "L")
    assert make_image_grid([init_image, mask, output_image], rows=1, cols=3).size == (192, 64)
    assert output_image.crop((0, 32, 64, 64)).tobytes() == init_image.crop((0, 32, 64, 64)).tobytes()


def test_inpainting_as_the_pipelines_own_page_has_it(pictures: tuple[str, str], tmp_path: Path) -> None:
    pipe_prior = KandinskyPriorPipeline.from_pretrained(PRIOR, torch_dtype=mindspore.float16)
    pipe_prior.to("cuda")
    image_emb, zero_image_emb = pipe_prior("a hat", return_dict=False)
    pipe = KandinskyInpaintPipeline.from_pretrained(INPAINT, torch_dtype=mindspore.float16)
    pipe.to("cuda")
    mask = np.zeros((64, 64), dtype=np.float32)
    mask[:20, 20:-20] = 1
    out = pipe(
        "a hat",
        image=load_image(pictures[0]),
        mask_image=mask,
        image_embeds=image_emb,
        negative_image_embeds=zero_image_emb,
        **SMALL,
    )
    out.images[0].save(tmp_path / "cat_with_hat.png")
    assert load_image(str(tmp_path / "cat_with_hat.png")).size == (64, 64)


@pytest.mark.parametrize("kind", [AutoPipelineForInpainting, KandinskyInpaintCombinedPipeline])
def test_inpainting_with_the_prior_in_one(kind: Any, pictures: tuple[str, str]) -> None:
    pipe = kind.from_pretrained(INPAINT, torch_dtype=mindspore.float16)
    pipe.enable_model_cpu_offload()
    mask = np.zeros((96, 96), dtype=np.float32)  # not of the size of the result: on the page 768 and 512 px
    mask[:31, 31:-31] = 1
    image = pipe(prompt="a hat", image=load_image(pictures[0]), mask_image=mask, **SMALL).images[0]
    assert image.size == (64, 64)
