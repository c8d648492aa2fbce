"""What a script gives to a pipeline and cannot be: each error names the parameter and its value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import Tensor

from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from tests.backend.pipelines.made import STEPS, decode, embeds


@pytest.mark.parametrize(
    ("items", "weights", "options", "error", "message"),
    [
        (["a"], [0.5, 0.5], {}, ValueError, "1 items and 2 weights"),
        ([], [], {}, ValueError, "at least one item"),
        (["a"], [float("nan")], {}, ValueError, "weight of item 1 is nan"),
        (["a", "b"], [1.0, float("inf")], {}, ValueError, "weight of item 2 is inf"),
        (["a"], [0.0], {}, ValueError, "all weights are 0"),
        (["a"], ["0.5"], {}, TypeError, "the weight of item 1 is '0.5': give a number"),
        (["a"], [None], {}, TypeError, "the weight of item 1 is None: give a number"),
        (["a", "b"], [1, True], {}, TypeError, "the weight of item 2 is True: give a number"),
        (["a"], None, {}, TypeError, "weights is None: give a list"),
        (["a"], 1.0, {}, TypeError, r"weights is 1\.0: give a list"),
        (None, [1.0], {}, TypeError, "images_and_prompts is None: give a list"),
        ("a", [1.0], {}, TypeError, "images_and_prompts is 'a': give a list"),
        (["a", "b\ud800"], [1, 1], {}, ValueError, "item 2 of images_and_prompts is .* half of a surrogate pair"),
        (["a"], [1.0], {"negative_prompt": "\udfff"}, ValueError, "negative_prompt is .* half of a surrogate pair"),
        (["a"], [1.0], {"num_inference_steps": None}, TypeError, "num_inference_steps is None: give a whole number"),
        (["a"], [1.0], {"num_inference_steps": 2.0}, TypeError, r"num_inference_steps is 2\.0: give a whole number"),
        (["a"], [1.0], {"num_images_per_prompt": "2"}, TypeError, "num_images_per_prompt is '2': give a whole number"),
        (["a"], [1.0], {"guidance_scale": "4"}, TypeError, "guidance_scale is '4': give a number"),
        (["a"], [1.0], {"latents": "noise"}, TypeError, "latents is a str: give a Tensor or an array of numbers"),
        (["a", 3], [1.0, 1.0], {}, TypeError, "item 2 of images_and_prompts is a int"),
        (["a"], [1.0], {"num_inference_steps": 0}, ValueError, "0 steps were asked for"),
        (["a"], [1.0], {"num_images_per_prompt": 0}, ValueError, "num_images_per_prompt is 0"),
        (["a"], [1.0], {"guidance_scale": float("nan")}, ValueError, "guidance_scale is nan"),
        (["a"], [1.0], {"negative_prompt": 3}, TypeError, "negative_prompt is 3"),
        (["a"], [1.0], {"negative_prompt": ["a"]}, TypeError, r"negative_prompt is \['a'\]: give a str"),
        (["a"], [1.0], {"negative_prior_prompt": 3}, TypeError, "negative_prior_prompt is 3"),
        (["a"], [1.0], {"latents": np.zeros((1, 3), np.float32)}, ValueError, r"shape \(1, 3\): give \(1, 32\)"),
        (["a"], [1.0], {"latents": np.full((1, 32), np.nan, np.float32)}, ValueError, "not finite"),
        (["a"], [1.0], {"generator": 7}, TypeError, "generator is 7"),
        ([Tensor(np.zeros((1, 3, 9, 9), np.float32))], [1.0], {}, ValueError, r"shape \(1, 3, 9, 9\)"),
    ],
)
def test_bad_input_to_interpolate_is_named(
    prior: KandinskyPriorPipeline,
    items: list[Any],
    weights: list[float],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        prior.interpolate(items, weights, **{"num_inference_steps": STEPS, **options})


@pytest.mark.parametrize(
    ("prompt", "options", "error", "message"),
    [
        (None, {}, TypeError, "prompt is None"),
        ([], {}, ValueError, "prompt is an empty list"),
        (["a", 1], {}, TypeError, "prompt is"),
        (["a", "\ud800"], {}, ValueError, "prompt is .* half of a surrogate pair"),
        ("a", {"guidance_scale": None}, TypeError, "guidance_scale is None: give a number"),
        ("a", {"negative_prompt": ["b", "c"]}, ValueError, "1 prompts and 2 negative prompts"),
        ("a", {"output_type": "pt"}, ValueError, "output_type is 'pt': choose one of ms, np"),
    ],
)
def test_bad_input_to_the_prior_is_named(
    prior: KandinskyPriorPipeline, prompt: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        prior(prompt, num_inference_steps=STEPS, **options)


@pytest.mark.parametrize(
    ("prompt", "options", "error", "message"),
    [
        (3, {}, TypeError, "prompt is 3"),
        (["a", "b"], {}, ValueError, "2 prompts were given for 1 rows of image_embeds"),
        ("a", {"negative_prompt": ["b", "c"]}, ValueError, "1 prompts and 2 negative prompts"),
        ("a", {"height": 0}, ValueError, "height is 0"),
        ("a", {"height": None}, TypeError, "height is None: give a whole number"),
        ("a", {"width": 64.0}, TypeError, r"width is 64\.0: give a whole number"),
        ("a", {"width": "64"}, TypeError, "width is '64': give a whole number"),
        ("\ud800", {}, ValueError, "prompt is .* half of a surrogate pair"),
        ("a", {"num_inference_steps": "5"}, TypeError, "num_inference_steps is '5': give a whole number"),
        ("a", {"guidance_scale": None}, TypeError, "guidance_scale is None: give a number"),
        ("a", {"callback_steps": None}, TypeError, "callback_steps is None: give a whole number"),
        ("a", {"width": -64}, ValueError, "width is -64"),
        ("a", {"num_inference_steps": 1001}, ValueError, "1001 steps were asked for: give 1 to 1000"),
        ("a", {"num_images_per_prompt": 0}, ValueError, "num_images_per_prompt is 0"),
        ("a", {"callback_steps": 0}, ValueError, "callback_steps is 0"),
        ("a", {"guidance_scale": float("inf")}, ValueError, "guidance_scale is inf"),
        ("a", {"output_type": "pt"}, ValueError, "output_type is 'pt': choose one of pil, np, ms"),
        ("a", {"latents": np.zeros((1, 4, 8, 9), np.float32)}, ValueError, r"\(1, 4, 8, 9\): give \(1, 4, 8, 8\)"),
        ("a", {"generator": "seed"}, TypeError, "generator is 'seed'"),
    ],
)
def test_bad_input_to_the_decoder_is_named(
    decoder: KandinskyPipeline, width: int, prompt: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        decode(decoder, 1, width, prompt, **options)


def test_embeddings_that_are_none_are_named(decoder: KandinskyPipeline, width: int) -> None:
    with pytest.raises(TypeError, match=r"^image_embeds is a NoneType: give a Tensor or an array of numbers"):
        decoder("", None, embeds(1, width))
    with pytest.raises(TypeError, match=r"^negative_image_embeds is a str: give a Tensor"):
        decoder("", embeds(1, width), "none")
    with pytest.raises(TypeError, match=r"^image_embeds\[1\] is a NoneType: give a Tensor"):
        decoder("", [embeds(1, width), None], embeds(1, width))
    with pytest.raises(ValueError, match=r"^image_embeds have the shapes \[\(1, 7\), \(1, 8\)\]: give arrays"):
        decoder("", [embeds(1, 7), embeds(1, 8)], embeds(1, width))


def test_numbers_may_be_numpy_s(prior: KandinskyPriorPipeline) -> None:
    plain = prior.interpolate(["a", "b"], [0.25, 0.75], num_inference_steps=STEPS, generator=np.random.default_rng(1))
    weights = [np.float32(0.25), np.array(0.75)]
    steps, scale = np.int64(STEPS), np.float32(4.0)
    other = prior.interpolate(
        ["a", "b"], weights, num_inference_steps=steps, guidance_scale=scale, generator=np.random.default_rng(1)
    )
    np.testing.assert_array_equal(other[0].asnumpy(), plain[0].asnumpy())


def test_embeddings_that_do_not_fit_are_named(decoder: KandinskyPipeline, width: int) -> None:
    with pytest.raises(ValueError, match=rf"image_embeds have the shape \(1, 7\): the UNet takes \(rows, {width}\)"):
        decoder("", embeds(1, 7), embeds(1, 7))
    with pytest.raises(ValueError, match=rf"negative_image_embeds have the shape \(2, {width}\), image_embeds"):
        decoder("", embeds(1, width), embeds(2, width))
