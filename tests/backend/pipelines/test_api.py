"""What the pipelines promise beside the reference's numbers: its bugs fixed, the API of mindone, errors by name."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from PIL import Image

import kandinsky_backend
from kandinsky_backend import device
from kandinsky_backend.errors import CheckpointBroken, CheckpointNotFound
from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.residency import Residency
from kandinsky_backend.sampling import Step, TextConditioning
from kandinsky_backend.schedulers import DDIMScheduler, DDPMScheduler
from tests.backend.pipelines.made import STEPS, decode, embeds, rng
from tests.golden.pipeline_cases import picture
from tests.refusals import refused

LONG_PROMPT = "cat " * 75 + "Dog Bird Fish"


def state(generator: np.random.Generator) -> Any:
    return generator.bit_generator.state


# --- the reference's bugs ----------------------------------------------------------------------------------------


def test_several_images_per_prompt_in_interpolate_are_blends_each(prior: KandinskyPriorPipeline) -> None:
    """The reference counts texts N times and pictures once, and gives one embedding."""
    items, weights, n = ["a cat", picture(1)], [0.3, 0.7], 3
    blended, negative = prior.interpolate(items, weights, n, STEPS, generator=rng())
    texts = prior("a cat", num_images_per_prompt=n, num_inference_steps=STEPS, generator=rng())[0].asnumpy()
    expected = np.float32(0.3) * texts + np.float32(0.7) * prior.encode_image(picture(1))
    np.testing.assert_allclose(blended.asnumpy(), expected, atol=1e-5)
    assert negative.shape == blended.shape == (n, prior.embedding_dim)
    assert not np.allclose(texts[0], texts[1])


@pytest.mark.parametrize("guidance_scale", [1.0, 0.0, 4.0])
def test_several_images_per_prompt_without_guidance(
    decoder: KandinskyPipeline, width: int, guidance_scale: float
) -> None:
    """The reference repeats the embeddings under guidance only."""
    pictures = decode(decoder, 1, width, num_images_per_prompt=2, guidance_scale=guidance_scale, generator=rng())
    assert pictures.shape == (2, 64, 64, 3)
    assert not np.allclose(pictures[0], pictures[1])


def test_one_prior_step(prior: KandinskyPriorPipeline) -> None:
    """The reference divides by zero."""
    blended, negative = prior.interpolate(["a cat"], [1.0], num_inference_steps=1, generator=rng())
    assert np.isfinite(blended.asnumpy()).all()
    assert np.isfinite(negative.asnumpy()).all()


def test_transparent_pictures_are_composited_on_white(prior: KandinskyPriorPipeline) -> None:
    """The reference drops alpha, which brings up the colour hidden under it."""
    hidden = Image.new("RGBA", (60, 60), (255, 0, 0, 0))
    white = Image.new("RGB", (60, 60), "white")
    np.testing.assert_array_equal(prior.encode_image(hidden), prior.encode_image(white))


def test_as_many_steps_as_were_trained(decoder: KandinskyPipeline) -> None:
    """With steps_offset=1 the reference reads beyond its table."""
    scheduler = DDIMScheduler.from_config(decoder.scheduler.config)
    assert scheduler.config.steps_offset == 1
    scheduler.set_timesteps(1000)
    sample = np.zeros((1, 4, 2, 2), np.float32)
    assert np.isfinite(scheduler.step(sample, int(scheduler.timesteps[0]), sample).prev_sample).all()


def test_what_was_cut_off_a_decoder_prompt_is_told_right(decoder: KandinskyPipeline) -> None:
    """The reference cuts at 77 tokens and tells what lies behind the 512th."""
    assert decoder.truncated_text("猫 " * 75 + "Dog bird") == "Dog bird"


# --- prompts -----------------------------------------------------------------------------------------------------


def test_what_was_cut_off_a_prompt_is_told(prior: KandinskyPriorPipeline) -> None:
    assert prior.truncated_text(LONG_PROMPT) == "Dog Bird Fish"
    assert prior.truncated_text("cat " * 75) == ""
    assert prior.truncated_text("") == ""


def test_a_long_prompt_is_logged_and_runs(prior: KandinskyPriorPipeline, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        conditioning = prior.encode_prompt([LONG_PROMPT, "a cat"])
    assert "only 77 tokens" in caplog.text
    assert "Dog Bird Fish" in caplog.text
    prior.encode_prompt(["cat\n" * 2000])
    assert all("\n" not in message and len(message) < 400 for message in caplog.messages)
    assert conditioning.attention_mask.sum(axis=1).tolist() == [77, 4]


def test_equal_prompts_are_encoded_once(decoder: KandinskyPipeline) -> None:
    conditioning = decoder.encode_prompt(["a cat", "", "a cat"])
    for part in conditioning:
        np.testing.assert_array_equal(part[0], part[2])
        assert part.dtype == np.float32
    assert not np.allclose(conditioning.text_embeds[0], conditioning.text_embeds[1])


def test_the_text_of_the_last_run_is_not_projected_again(
    decoder: KandinskyPipeline, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = decode(decoder, 1, width, "a cat", generator=rng())
    decode(decoder, 1, width, "a dog", generator=rng())
    np.testing.assert_array_equal(decode(decoder, 1, width, "a cat", generator=rng()), alone)
    monkeypatch.setattr(decoder.unet, "project_text", None)
    np.testing.assert_array_equal(decode(decoder, 1, width, "a cat", generator=rng()), alone)
    with pytest.raises(TypeError):
        decode(decoder, 1, width, "a dog", generator=rng())


def test_rows_of_a_conditioning() -> None:
    part = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert TextConditioning(part, part, part).rows([2, 0]).text_embeds.tolist() == [[4, 5], [0, 1]]


# --- noise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latents", [False, True])
def test_the_skipped_negative_run_leaves_the_generator_as_the_reference_does(
    prior: KandinskyPriorPipeline, latents: bool
) -> None:
    """The reference runs the prior a second time and drops what it gives."""
    n, steps, used, expected = 2, 3, rng(), rng()
    given = np.zeros((n, prior.embedding_dim), np.float32) if latents else None
    prior.interpolate(["a cat"], [1.0], n, steps, used, given)
    for _ in range(2):  # the text's run, and the dropped one
        for _ in range(steps - 1 + (not latents)):
            expected.standard_normal((n, prior.embedding_dim))
    assert state(used) == state(expected)


def test_without_a_generator_every_run_differs(prior: KandinskyPriorPipeline) -> None:
    first, second = (prior("a cat", num_inference_steps=STEPS)[0].asnumpy() for _ in range(2))
    assert not np.allclose(first, second)


def test_given_latents_replace_the_first_draw(decoder: KandinskyPipeline, width: int) -> None:
    latents = rng(9).standard_normal((1, *decoder.latent_shape(64, 64))).astype(np.float32)
    drawn = decode(decoder, 1, width, generator=rng(9))
    for given in (latents, Tensor(latents)):
        np.testing.assert_array_equal(decode(decoder, 1, width, latents=given), drawn)


def test_a_list_of_generators_draws_each_picture(decoder: KandinskyPipeline, width: int) -> None:
    both = decode(decoder, 1, width, num_images_per_prompt=2, generator=[rng(1), rng(2)])
    np.testing.assert_allclose(both[1:], decode(decoder, 1, width, generator=rng(2)), atol=1e-4)


# --- the decoder's parameters ------------------------------------------------------------------------------------


def test_one_prompt_serves_all_embeddings(decoder: KandinskyPipeline, width: int) -> None:
    one = decode(decoder, 2, width, "a cat", generator=rng())
    np.testing.assert_array_equal(one, decode(decoder, 2, width, ["a cat", "a cat"], generator=rng()))


def test_embeddings_may_come_as_a_list(decoder: KandinskyPipeline, width: int) -> None:
    rows = [embeds(1, width), embeds(1, width, 3)]
    options: dict[str, Any] = {"height": 64, "width": 64, "num_inference_steps": 1, "output_type": "np"}
    listed = decoder("", rows, rows, generator=rng(), **options)[0]
    joined = Tensor(np.concatenate([row.asnumpy() for row in rows]))
    np.testing.assert_array_equal(listed, decoder("", joined, joined, generator=rng(), **options)[0])


def test_sizes_round_up_to_what_the_model_makes(decoder: KandinskyPipeline) -> None:
    assert decoder.movq_scale_factor == 8
    assert decoder.latent_size(768, 768) == (96, 96)
    assert decoder.latent_size(1, 65) == (8, 16)
    assert decoder.latent_shape(64, 64) == (4, 8, 8)


def test_output_types(decoder: KandinskyPipeline, width: int) -> None:
    pictures = decode(decoder, 1, width, generator=rng())
    assert pictures.dtype == np.float32
    assert 0 <= pictures.min() < pictures.max() <= 1
    raw = decode(decoder, 1, width, generator=rng(), output_type="ms")
    np.testing.assert_allclose(raw.asnumpy().transpose(0, 2, 3, 1).clip(-1, 1) * 0.5 + 0.5, pictures, atol=1e-6)
    pil = decode(decoder, 1, width, generator=rng(), output_type="pil")
    np.testing.assert_array_equal(np.asarray(pil[0]), (pictures[0] * 255).round())


def test_results_are_tuples_and_named_on_request(
    prior: KandinskyPriorPipeline, decoder: KandinskyPipeline, width: int
) -> None:
    plain = prior("a cat", num_inference_steps=STEPS, output_type="np")
    assert isinstance(plain, tuple)
    assert isinstance(plain[0], np.ndarray)
    named = prior("a cat", num_inference_steps=STEPS, return_dict=True)
    assert isinstance(named.image_embeds, Tensor)
    assert named[1] is named["negative_image_embeds"] is named.to_tuple()[1] is named.negative_image_embeds
    result = decoder("", embeds(1, width), embeds(1, width), None, 64, 64, 1, return_dict=True)
    assert isinstance(result.images[0], Image.Image)


def test_the_callback_sees_every_nth_step(decoder: KandinskyPipeline, width: int) -> None:
    seen: list[tuple[int, int, tuple[int, ...]]] = []

    def callback(step: int, timestep: int, latents: Tensor) -> None:
        seen.append((step, timestep, latents.shape))

    decode(decoder, 1, width, num_inference_steps=3, callback=callback, callback_steps=2)
    assert seen == [(0, 667, (1, 4, 8, 8)), (2, 1, (1, 4, 8, 8))]


def test_the_progress_bar_counts_the_steps(
    tiny_checkpoint: Path, prior: KandinskyPriorPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = KandinskyPriorPipeline(**prior.components)
    pipeline("a cat", num_inference_steps=STEPS)
    assert f"{STEPS}/{STEPS}" in capsys.readouterr().err
    pipeline.set_progress_bar_config(disable=True)
    pipeline("a cat", num_inference_steps=STEPS)
    assert capsys.readouterr().err == ""


def test_another_scheduler_can_be_set(decoder: KandinskyPipeline, width: int) -> None:
    pipeline = KandinskyPipeline(**decoder.components)
    pipeline.set_progress_bar_config(disable=True)
    before = decode(decoder, 1, width, generator=rng(), num_inference_steps=2)
    pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    after = decode(pipeline, 1, width, generator=rng(), num_inference_steps=2)
    assert np.isfinite(after).all()
    assert not np.allclose(before, after)


def test_denoising_yields_after_each_step_and_can_be_left(decoder: KandinskyPipeline, width: int) -> None:
    conditioning = decoder.encode_prompt(["", "a cat"])
    latents = rng().standard_normal((1, 4, 8, 8)).astype(np.float32)
    options: dict[str, Any] = {"generator": rng(), "num_inference_steps": 4, "guidance_scale": 4.0}
    one = embeds(1, width).asnumpy()
    steps = decoder.denoise(conditioning, one, one, latents, **options)
    first = next(steps)
    assert isinstance(first, Step)
    assert (first.index, first.count, first.timestep) == (0, 4, 751)
    assert first.latents.shape == first.pred_original_sample.shape == latents.shape
    steps.close()
    assert decoder.scheduler.timesteps.size == 1000  # the pipeline's own scheduler is not touched


def test_two_runs_at_a_time_do_not_disturb_each_other(prior: KandinskyPriorPipeline) -> None:
    conditioning, width = prior.encode_guided(["a cat"], [""], 1, 4.0), prior.embedding_dim

    def run(seed: int, count: int) -> Any:
        return prior.denoise(
            conditioning,
            np.zeros((1, width), np.float32),
            generator=rng(seed),
            num_inference_steps=count,
            guidance_scale=4.0,
        )

    alone = [step.latents for step in run(1, 4)]
    together = [first.latents for first, _ in zip(run(1, 4), run(2, 9), strict=False)]
    for ours, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(ours, other)


# --- loading -----------------------------------------------------------------------------------------------------


def test_models_are_read_when_first_used(tiny_checkpoint: Path) -> None:
    residency = Residency()
    pipeline = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior", residency=residency)
    assert residency.loaded_bytes == 0
    pipeline.encode_image(picture(1))
    assert [part.loaded for part in pipeline.parts_of_image] == [True]
    assert [part.loaded for part in (*pipeline.parts_of_text, *pipeline.parts_of_sampling)] == [False, False]


def test_float16_is_accepted_where_the_device_computes_in_float32(tiny_checkpoint: Path) -> None:
    pipeline = KandinskyPriorPipeline.from_pretrained(
        tiny_checkpoint / "prior", mindspore_dtype=ms.float16, use_safetensors=True, variant=None
    )
    assert pipeline.zero_embeds(2).shape == (2, pipeline.embedding_dim)


def test_computing_in_another_precision_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    device.warn_once.cache_clear()
    for _ in range(3):
        assert device.compute_dtype(ms.float16) == ms.float32
    assert caplog.messages == ["float16 was asked for; the CPU computes in float32"]


def test_a_scheduler_can_be_given_at_load(tiny_checkpoint: Path) -> None:
    scheduler = DDPMScheduler(variance_type="learned_range")
    pipeline = KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder", scheduler=scheduler)
    assert pipeline.scheduler is scheduler


def test_a_scheduler_is_read_from_a_folder_beside_the_pipelines_own(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_checkpoint / "decoder", tmp_path / "decoder")
    (folder / "ddpm_scheduler").mkdir()
    (folder / "ddpm_scheduler" / "scheduler_config.json").write_text(
        '{"_class_name": "DDPMScheduler", "beta_end": 0.5}'
    )
    scheduler = kandinsky_backend.DDPMScheduler.from_pretrained(folder, subfolder="ddpm_scheduler")
    assert (type(scheduler), scheduler.config.beta_end) == (DDPMScheduler, 0.5)
    assert type(KandinskyPipeline.from_pretrained(folder).scheduler) is DDIMScheduler
    with refused(CheckpointNotFound, "no-config", path="nothing/scheduler_config.json"):
        DDPMScheduler.from_pretrained(folder, subfolder="nothing")


def test_the_other_pipelines_folder_is_refused(tiny_checkpoint: Path) -> None:
    with refused(CheckpointNotFound, "not-in-index", components="image_encoder, image_processor, prior"):
        KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "decoder")


@pytest.mark.parametrize(
    ("file", "key", "value", "code", "data"),
    [
        ("scheduler/scheduler_config.json", "_class_name", "PNDMScheduler", "unknown-scheduler", "PNDMScheduler"),
        ("scheduler/scheduler_config.json", "beta_schedule", "sigmoid", "bad-config", "beta_schedule='sigmoid'"),
        ("unet/config.json", "in_channels", 8, "foreign-unet", "8"),
    ],
)
def test_a_config_that_is_not_implemented_is_refused_at_load(
    tiny_checkpoint: Path, tmp_path: Path, file: str, key: str, value: Any, code: str, data: str
) -> None:
    shutil.copytree(tiny_checkpoint / "decoder", tmp_path / "decoder")
    path = tmp_path / "decoder" / file
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with refused(CheckpointBroken, code) as caught:
        KandinskyPipeline.from_pretrained(tmp_path / "decoder")
    assert data in " ".join(map(str, caught.value.data.values()))


def test_sizes_of_a_config_that_do_not_go_together_are_named_when_the_model_is_read(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "decoder"
    shutil.copytree(tiny_checkpoint / "decoder", folder)
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"norm_num_groups": 7}))
    pipeline = KandinskyPipeline.from_pretrained(folder)
    with refused(CheckpointBroken, "bad-config", component="unet", reason=lambda reason: "7 groups" in reason):
        _ = pipeline.unet
