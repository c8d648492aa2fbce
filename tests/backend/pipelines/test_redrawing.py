"""Pipelines that redraw pictures, where the reference is wrong or fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor
from PIL import Image

from kandinsky_backend.pipelines import KandinskyImg2ImgPipeline, KandinskyInpaintPipeline, KandinskyPipeline
from kandinsky_backend.pipelines.given_pictures import masks_of
from tests.backend.pipelines.made import embeds
from tests.golden.pipeline_cases import picture
from tests.golden.redrawing_cases import mask
from tests.random_checkpoint import write_checkpoint

SIZE = {"height": 70, "width": 100}  # no multiples of anything


@pytest.fixture(scope="module")
def img2img(decoder: KandinskyPipeline) -> KandinskyImg2ImgPipeline:
    pipeline = KandinskyImg2ImgPipeline(**decoder.components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def inpaint(decoder: KandinskyPipeline) -> KandinskyInpaintPipeline:
    pipeline = KandinskyInpaintPipeline(**decoder.components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def inpainting_unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inpaint")
    write_checkpoint(folder, "tiny_inpaint")
    return folder / "decoder"


def redrawn(pipeline: Any, rows: int, width: int, /, **options: Any) -> np.ndarray:
    """The pictures (B, H, W, 3) of random embeddings, in 0..255."""
    given = {"image_embeds": embeds(rows, width), "negative_image_embeds": embeds(rows, width, 2)}
    options = {**SIZE, **given, "num_inference_steps": 2, "generator": np.random.default_rng(5), **options}
    return np.stack([np.asarray(image) for image in pipeline("", **options)[0]])


def stretched(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((SIZE["width"], SIZE["height"]), Image.Resampling.BICUBIC, reducing_gap=1))


def test_a_strength_of_0_gives_the_picture_back(img2img: KandinskyImg2ImgPipeline, width: int) -> None:
    (ours,) = redrawn(img2img, 1, width, image=picture(1), strength=0)
    assert np.array_equal(ours, stretched(picture(1)))


@pytest.mark.parametrize(("strength", "steps"), [(0.001, 1), (0.29, 29), (0.57, 57), (1, 100)])
def test_as_many_steps_run_as_the_strength_says(
    img2img: KandinskyImg2ImgPipeline, width: int, strength: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    courses = []

    def run(self: Any, call: Any, latents: Any, course: Any) -> Any:
        courses.append(course.count(self._scheduler_for(call.num_inference_steps)))
        return latents

    monkeypatch.setattr(KandinskyImg2ImgPipeline, "_run", run)
    redrawn(img2img, 1, width, image=picture(1), strength=strength, num_inference_steps=100)
    assert courses == [steps]


def test_noise_is_of_the_first_step_s_level_in_the_decoder_s_betas(
    img2img: KandinskyImg2ImgPipeline, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = []
    monkeypatch.setattr(
        KandinskyImg2ImgPipeline, "_run", lambda self, call, latents, course: noisy.append(latents) or latents
    )
    tensor = Tensor(np.zeros((1, 3, 64, 64), np.float32))
    redrawn(img2img, 1, width, image=tensor, strength=0.5, num_inference_steps=4, height=64, width=64)
    scheduler = img2img._scheduler_for(4)
    noise = np.random.default_rng(5).standard_normal(noisy[0].shape).astype(np.float32)
    clean = img2img.encode(np.zeros((1, 3, 64, 64), np.float32))
    assert np.array_equal(noisy[0], scheduler.add_noise(clean, noise, scheduler.timesteps[2]))


def test_pictures_with_transparency_gray_and_16_bit_ones_are_taken(
    img2img: KandinskyImg2ImgPipeline, width: int
) -> None:
    gray = picture(1).convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    clear = Image.merge("RGBA", (*picture(1).split(), Image.new("L", gray.size, 0)))
    ours = redrawn(img2img, 3, width, image=[gray, deep, clear], strength=0)
    assert np.array_equal(ours[0], ours[1])
    assert (ours[2] == 255).all()


@pytest.mark.parametrize("kind", ["plain", "for inpainting"])
def test_outside_its_own_mask_each_picture_is_bit_for_bit_what_it_was(
    inpaint: KandinskyInpaintPipeline, inpainting_unet: Path, width: int, kind: str
) -> None:
    if kind == "for inpainting":
        inpaint = KandinskyInpaintPipeline.from_pretrained(inpainting_unet)
        inpaint.set_progress_bar_config(disable=True)
    size = (SIZE["width"], SIZE["height"])
    pictures, masks = [picture(1), picture(2)], [mask(3, size), mask(4, size)]
    ours = redrawn(inpaint, 2, width, image=pictures, mask_image=masks)
    for made, given, one in zip(ours, pictures, masks, strict=True):
        white = np.asarray(one) >= 128
        assert np.array_equal(made[~white], stretched(given)[~white])
        assert (made[white] != stretched(given)[white]).mean() > 0.9


def test_masks_of_another_size_than_the_picture_are_stretched() -> None:
    left = np.zeros((20, 30), np.float32)
    left[:, :15] = 1
    given = [left, left[..., None], left > 0, Tensor(left), Tensor(left[None]), Image.fromarray(left > 0)]
    for masks in (masks_of("mask_image", one, 70, 100) for one in (*given, given)):
        assert masks.shape[1:] == (1, 70, 100)
        assert masks[..., :50].all()
        assert not masks[..., 50:].any()


def test_an_inpainting_unet_makes_pictures_of_nothing_too(inpainting_unet: Path, width: int) -> None:
    pipeline = KandinskyPipeline.from_pretrained(inpainting_unet)
    pipeline.set_progress_bar_config(disable=True)
    assert redrawn(pipeline, 1, width, height=64, width=64).shape == (1, 64, 64, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": -0.1}, "strength is -0.1"),
        ({"strength": 1.01}, "strength is 1.01"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"image": [picture(1)] * 3}, "3 were given as image for 2 rows"),
        ({"image": np.zeros((8, 8, 3), np.uint8)}, "image has the shape"),
        ({"image": np.zeros((8, 8), np.uint8)}, "image has the shape"),
        ({"image": [picture(1), np.zeros((8, 8, 3), np.uint8)]}, "image has the shape"),
        ({"image": Tensor(np.full((3, 70, 100), np.nan, np.float32))}, "image holds values from nan"),
    ],
)
def test_image_to_image_refuses_what_it_cannot_take(
    img2img: KandinskyImg2ImgPipeline, width: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        redrawn(img2img, 2, width, **{"image": picture(1), "strength": 0.5, **options})


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([mask(1)] * 3, "3 were given as mask_image for 2 rows"),
        (np.zeros((8, 8, 3)), "mask_image has the shape"),
        (np.zeros((0, 8)), "mask_image is empty"),
        (np.full((70, 100), 2.0), "mask_image holds values from 2.0"),
    ],
)
def test_inpainting_refuses_masks_that_it_cannot_take(
    inpaint: KandinskyInpaintPipeline, width: int, masks: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        redrawn(inpaint, 2, width, image=picture(1), mask_image=masks)


def test_a_picture_that_is_none_is_refused(img2img: KandinskyImg2ImgPipeline, width: int) -> None:
    with pytest.raises(TypeError, match="image is a str"):
        redrawn(img2img, 1, width, image="picture.png")
