"""What scripts touch beside a pipeline's call: saving, moving, switches, results by name."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from kandinsky_backend.errors import CheckpointNotFound, CheckpointRefused, DeviceError
from kandinsky_backend.pipelines import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    ImagePipelineOutput,
    KandinskyCombinedPipeline,
    KandinskyImg2ImgCombinedPipeline,
    KandinskyImg2ImgPipeline,
    KandinskyInpaintCombinedPipeline,
    KandinskyPipeline,
    KandinskyPriorPipeline,
    KandinskyPriorPipelineOutput,
)
from kandinsky_backend.pipelines.script_names import say_once
from kandinsky_backend.schedulers import DDPMScheduler
from tests.backend.pipelines.made import decode, rng
from tests.random_checkpoint import write_checkpoint
from tests.refusals import refused

FEW_STEPS: dict[str, Any] = {"num_inference_steps": 1, "height": 64, "width": 64}


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> None:
    say_once.cache_clear()


@pytest.fixture(scope="module")
def combined(tiny_checkpoint: Path) -> KandinskyCombinedPipeline:
    pipeline: KandinskyCombinedPipeline = AutoPipelineForText2Image.from_pretrained(tiny_checkpoint / "decoder")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


# --- saving ------------------------------------------------------------------------------------------------------


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.parametrize("shards", [1, 2])
def test_a_saved_pipeline_loads_again(tmp_path: Path, variant: str | None, shards: int) -> None:
    write_checkpoint(tmp_path, shards=shards)
    pipeline = KandinskyPipeline.from_pretrained(tmp_path / "decoder")
    pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    pipeline.save_pretrained(tmp_path / "saved", variant=variant)
    saved = KandinskyPipeline.from_pretrained(tmp_path / "saved", variant=variant)
    assert saved.scheduler.config == pipeline.scheduler.config
    assert saved.config == pipeline.config
    pictures = []
    for one in (pipeline, saved):
        one.set_progress_bar_config(disable=True)
        pictures.append(decode(one, 1, 32, "a cat", generator=rng()))
    np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize("part", ["prior", "decoder"])
def test_what_is_saved_is_the_published_layout(tiny_checkpoint: Path, tmp_path: Path, part: str) -> None:
    kind = KandinskyPriorPipeline if part == "prior" else KandinskyPipeline
    kind.from_pretrained(tiny_checkpoint / part).save_pretrained(tmp_path)
    published, saved = files_in(tiny_checkpoint / part), files_in(tmp_path)
    assert saved.keys() == published.keys()
    assert [name for name in published if name.endswith("safetensors") and saved[name] != published[name]] == []
    index, theirs = (json.loads(files["model_index.json"]) for files in (saved, published))
    theirs |= {"_diffusers_version": index["_diffusers_version"]}
    if part == "decoder":  # any class that reads a tokenizer.json does
        theirs["tokenizer"] = ["transformers", "PreTrainedTokenizerFast"]
    assert index == theirs
    assert json.loads(saved["scheduler/scheduler_config.json"]).items() >= (
        json.loads(published["scheduler/scheduler_config.json"]).items()
    )


def test_a_tokenizer_from_no_folder_is_saved_too(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint / "decoder", tmp_path / "decoder")
    pipeline = KandinskyPipeline.from_pretrained(tmp_path / "decoder")
    shutil.rmtree(tmp_path / "decoder" / "tokenizer")
    pipeline.save_pretrained(tmp_path / "saved")
    again = KandinskyPipeline.from_pretrained(tmp_path / "saved").tokenizer
    assert again("a кот").input_ids == pipeline.tokenizer("a кот").input_ids


def test_what_cannot_be_saved_is_refused_before_anything_is_written(
    prior: KandinskyPriorPipeline, tmp_path: Path
) -> None:
    target = tmp_path / "saved"
    with refused(CheckpointRefused, "given-model", name="prior"):
        KandinskyPriorPipeline.from_pipe(prior, prior=prior.prior).save_pretrained(target)
    with pytest.raises(ValueError, match="safe_serialization is False"):
        prior.save_pretrained(target, safe_serialization=False)
    with pytest.raises(ValueError, match="push_to_hub is True"):
        prior.save_pretrained(target, push_to_hub=True)
    assert not target.exists()
    assert prior.checkpoint is not None
    before = files_in(prior.checkpoint.folder)
    with refused(CheckpointRefused, "own-folder", path=str(prior.checkpoint.folder)):
        prior.save_pretrained(prior.checkpoint.folder)
    assert files_in(prior.checkpoint.folder) == before


# --- precision and device ----------------------------------------------------------------------------------------


def test_moving_gives_the_pipeline_back_and_says_what_it_does_not(
    prior: KandinskyPriorPipeline, caplog: pytest.LogCaptureFixture
) -> None:
    assert prior.to("cpu", ms.float32) is prior
    assert prior.to(device="CPU", dtype="float32", silence_dtype_warnings=True) is prior
    assert caplog.messages == []
    for _ in range(2):
        assert prior.to("cuda:0").to(ms.float16).dtype == ms.float32
    assert [message.split()[0] for message in caplog.messages if "float16" not in message] == ["to('cuda:0')"]
    assert prior.device == "CPU"
    for target in ("warp", "int8", 7):
        with refused(DeviceError, "unknown-precision", precision=target):
            prior.to(target)


def test_models_of_files_are_read_in_another_precision(tiny_checkpoint: Path) -> None:
    """What `to` does where the device computes in several, which a CPU does not."""
    pipeline = KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior")
    part = pipeline.components["text_encoder"]
    half = part.converted("text_encoder", ms.float16)
    assert (half.dtype, half.resident.nbytes * 2) == (ms.float16, part.resident.nbytes)
    assert next(half.resident.get().get_parameters()).dtype == ms.float16
    given = type(part).of(part.resident.get())
    assert given.converted("text_encoder", ms.float32) is given
    with refused(DeviceError, "given-model", name="text_encoder", precision="float16"):
        given.converted("text_encoder", ms.float16)


@pytest.mark.parametrize("name", ["float32", "torch.float32", ms.float32])
def test_precisions_go_by_their_names_too(tiny_checkpoint: Path, name: Any) -> None:
    assert KandinskyPriorPipeline.from_pretrained(tiny_checkpoint / "prior", torch_dtype=name).dtype == ms.float32


# --- loading -----------------------------------------------------------------------------------------------------


def test_unknown_arguments_at_load_are_ignored_with_a_warning(
    tiny_checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = {"proxies": {}, "low_cpu_mem_usage": True, "subfolder": "x"}
    assert KandinskyPipeline.from_pretrained(tiny_checkpoint / "decoder", local_files_only=None, **unknown)
    assert len(caplog.messages) == 1
    assert all(name in caplog.text for name in unknown)


def test_pipelines_share_components(prior: KandinskyPriorPipeline, decoder: KandinskyPipeline) -> None:
    scheduler = DDPMScheduler()
    other = KandinskyPipeline.from_pipe(decoder, scheduler=scheduler)
    assert other.components == decoder.components | {"scheduler": scheduler}
    assert other.name_or_path == decoder.name_or_path
    with pytest.raises(ValueError, match="KandinskyPipeline has no prior, image_encoder, image_processor: give what"):
        KandinskyPriorPipeline.from_pipe(decoder)


# --- both in one -------------------------------------------------------------------------------------------------


def test_both_in_one_are_the_prior_and_then_the_decoder(combined: KandinskyCombinedPipeline) -> None:
    """The reference gives each embedding to the wrong one of several prompts."""
    prompts, generator = ["a cat", "a dog"], rng()
    options: dict[str, Any] = FEW_STEPS | {"output_type": "np"}
    images = combined(
        prompts, ["red", ""], num_images_per_prompt=2, prior_num_inference_steps=2, generator=rng(), **options
    )
    embeds = combined.prior_pipe(prompts, ["red", ""], 2, 2, generator)
    expected = combined.decoder_pipe(["a cat", "a cat", "a dog", "a dog"], **embeds, generator=generator, **options)
    np.testing.assert_array_equal(images[0], expected[0])


def test_both_in_one_are_saved_in_one_folder(combined: KandinskyCombinedPipeline, tmp_path: Path) -> None:
    combined.save_pretrained(tmp_path)
    saved = KandinskyCombinedPipeline.from_pretrained(tmp_path, prior_scheduler=DDPMScheduler(prediction_type="sample"))
    assert saved.components.keys() == combined.components.keys()
    assert type(saved.prior_pipe.scheduler) is DDPMScheduler
    assert saved.tokenizer("a кот").input_ids == combined.tokenizer("a кот").input_ids


def test_the_prior_is_found_beside_the_decoder(tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint / "decoder", tmp_path / "mine-inpaint")
    with refused(CheckpointNotFound, "no-prior", path=str(tmp_path / "mine-inpaint"), prior="mine-prior"):
        AutoPipelineForText2Image.from_pretrained(tmp_path / "mine-inpaint")
    shutil.copytree(tiny_checkpoint / "prior", tmp_path / "mine-prior")
    scheduler = DDPMScheduler()
    pipeline = AutoPipelineForText2Image.from_pretrained(tmp_path / "mine-inpaint", scheduler=scheduler)
    assert pipeline.scheduler is pipeline.decoder_pipe.scheduler is scheduler
    assert type(pipeline.prior_scheduler) is not DDPMScheduler
    assert AutoPipelineForText2Image.from_pretrained(tiny_checkpoint).name_or_path == str(tiny_checkpoint / "decoder")


def test_the_task_takes_pipelines_of_either_kind(
    combined: KandinskyCombinedPipeline, decoder: KandinskyPipeline
) -> None:
    assert type(AutoPipelineForText2Image.from_pipe(combined)) is KandinskyCombinedPipeline
    assert type(AutoPipelineForText2Image.from_pipe(decoder)) is KandinskyPipeline
    inpainting = AutoPipelineForInpainting.from_pipe(combined)
    assert type(inpainting) is KandinskyInpaintCombinedPipeline
    assert type(AutoPipelineForImage2Image.from_pipe(inpainting)) is KandinskyImg2ImgCombinedPipeline
    assert type(AutoPipelineForImage2Image.from_pipe(decoder)) is KandinskyImg2ImgPipeline
    with pytest.raises(OSError, match="is made with AutoPipelineForText2Image"):
        AutoPipelineForText2Image()


# --- results -----------------------------------------------------------------------------------------------------


def test_results_are_tuples_and_mappings() -> None:
    output = KandinskyPriorPipelineOutput(image_embeds=1, negative_image_embeds=2)
    first, second = output
    assert (first, second) == output == output.to_tuple() == output.values() == output[:] == (1, 2)
    assert dict(**output) == dict(output.items()) == {"image_embeds": 1, "negative_image_embeds": 2}
    assert ("image_embeds" in output, "images" in output, output.get("images", 5)) == (True, False, 5)
    assert pickle.loads(pickle.dumps(output)).image_embeds == copy.deepcopy(output)["image_embeds"] == 1
    assert repr(ImagePipelineOutput([3])) == "ImagePipelineOutput(images=[3])"
    with pytest.raises(KeyError):
        output["to_tuple"]
    with pytest.raises(AttributeError, match="it has image_embeds, negative_image_embeds"):
        output.images  # noqa: B018
