"""Checkpoints in folders: dtypes, shards, variants, tokenizers; and each way in which one can be wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from transformers import CLIPTokenizer

from kandinsky_backend.checkpoint import Checkpoint, resolve
from kandinsky_backend.errors import (
    CheckpointBroken,
    CheckpointNotFound,
    CheckpointRefused,
    WeightsError,
)
from kandinsky_backend.families import EMBEDDED_FOLDER
from kandinsky_backend.models.prior import PriorTransformer, PriorTransformerConfig
from kandinsky_backend.weight_files import WeightFiles
from tests.random_checkpoint import WeightsWriter
from tests.random_weights import random_tensor
from tests.refusals import refused

PRIOR_WEIGHTS = "prior/diffusion_pytorch_model.safetensors"
SHAPES = {"a.weight": (6, 4), "b.bias": (5,), "c.query.weight": (3, 2, 1)}


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny prior's checkpoint, to be spoilt."""
    return Path(shutil.copytree(tiny_checkpoint / "prior", tmp_path / "prior"))


def build_prior(checkpoint: Checkpoint) -> PriorTransformer:
    weights = checkpoint.weights("prior", ms.float32)
    model = PriorTransformer(PriorTransformerConfig.from_dict(checkpoint.config("prior")), weights)
    weights.finish()
    return model


def edit_json(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


# --- what is right -----------------------------------------------------------------------------------------------


def test_a_model_is_built_from_its_folder(folder: Path) -> None:
    model = build_prior(resolve(folder))
    name, parameter = "clip_mean", build_prior(resolve(str(folder))).clip_mean
    np.testing.assert_array_equal(model.clip_mean.asnumpy(), random_tensor(name, parameter.shape))


def test_bytes_of_a_model_count_its_floats_in_the_dtype_of_memory(folder: Path) -> None:
    sizes = sum(value.size for key, value in load_file(folder / "text_encoder/model.safetensors").items())
    positions = 77  # of integers, that no model keeps
    checkpoint = resolve(folder)
    assert checkpoint.bytes_of("text_encoder", ms.float32) == 4 * (sizes - positions)
    assert checkpoint.bytes_of("text_encoder", ms.bfloat16) == 2 * (sizes - positions)


def test_only_the_asked_components_are_needed(folder: Path) -> None:
    shutil.rmtree(folder / "image_encoder")
    assert resolve(folder, components=["prior", "scheduler"]).components == ("prior", "scheduler")
    with refused(CheckpointNotFound, "no-component", source=str(folder), component="image_encoder"):
        resolve(folder)


def test_configs_are_read_whatever_their_files_are_called(folder: Path) -> None:
    checkpoint = resolve(folder)
    assert checkpoint.config("prior")["_class_name"] == "PriorTransformer"
    assert checkpoint.config("scheduler")["prediction_type"] == "sample"
    assert checkpoint.config("image_processor")["size"] == {"shortest_edge": 32}


def test_tokenizers_load_without_a_word_on_the_screen(tiny_checkpoint: Path) -> None:
    code = """
import sys
from kandinsky_backend.checkpoint import resolve
clip = resolve(sys.argv[1] + "/prior").tokenizer()
xlm = resolve(sys.argv[1] + "/decoder").tokenizer()
print(clip("A starry  sky").input_ids, clip.model_max_length, xlm("a кот").input_ids, "torch" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code, str(tiny_checkpoint)], check=True, capture_output=True, text=True)
    # As transformers 4.57 with its CLIPTokenizer and XLMRobertaTokenizerFast has it.
    assert run.stdout == "[633, 320, 535, 537, 634] 77 [0, 5, 32, 2] False\n"
    assert run.stderr == ""


# --- variants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 2])
def test_a_variant_is_taken_where_a_component_has_it(folder: Path, shards: int) -> None:
    plain = resolve(folder)
    shapes = {key: tensor.shape for key, tensor in WeightFiles.open(folder / PRIOR_WEIGHTS).tensors.items()}
    (folder / PRIOR_WEIGHTS).unlink()
    WeightsWriter("fp16", "fp16", shards).write(
        folder / "prior", "diffusion_pytorch_model", plain.config("prior"), shapes
    )
    checkpoint = resolve(folder, variant="fp16")
    assert ".fp16" in checkpoint.weights("prior", ms.float32).source.describe()
    assert checkpoint.weights("text_encoder", ms.float32).source.describe().endswith("text_encoder/model.safetensors")
    assert build_prior(checkpoint).clip_mean.dtype == ms.float32
    with refused(CheckpointNotFound, "no-weights", names=lambda names: "config.json, " in names and "fp16" in names):
        resolve(folder)


def test_a_variant_that_no_component_has_is_named(folder: Path) -> None:
    found, wanted = "image_encoder/model.safetensors", "image_encoder/model.fp16.safetensors"
    with refused(CheckpointNotFound, "no-variant", variant="fp16", wanted=wanted, found=found):
        resolve(folder, variant="fp16")


def test_the_other_spelling_of_a_sharded_variants_index_is_known(folder: Path) -> None:
    shapes = {key: tensor.shape for key, tensor in WeightFiles.open(folder / PRIOR_WEIGHTS).tensors.items()}
    WeightsWriter("fp16", "fp16", 2).write(folder / "prior", "model", resolve(folder).config("prior"), shapes)
    index = folder / "prior" / "model.safetensors.index.fp16.json"
    index.rename(folder / "prior" / "model.fp16.safetensors.index.json")
    assert build_prior(resolve(folder, variant="fp16"))


# --- the fingerprint ---------------------------------------------------------------------------------------------


def test_the_fingerprint_is_that_of_the_contents(folder: Path, tmp_path: Path) -> None:
    fingerprint = resolve(folder).fingerprint()
    moved = shutil.copytree(folder, tmp_path / "moved")
    edit_json(moved / "prior/config.json", lambda config: config.update(_diffusers_version="9"))
    assert resolve(moved).fingerprint() == fingerprint
    assert len(bytes.fromhex(fingerprint)) == 32


@pytest.mark.parametrize("change", ["config", "values", "tokenizer", "scheduler"])
def test_the_fingerprint_changes_with_whatever_changes_a_picture(folder: Path, change: str) -> None:
    fingerprint = resolve(folder).fingerprint()
    if change == "config":
        edit_json(folder / "prior/config.json", lambda config: config.update(num_layers=3))
    elif change == "scheduler":
        edit_json(folder / "scheduler/scheduler_config.json", lambda config: config.update(clip_sample_range=6.0))
    elif change == "tokenizer":
        edit_json(folder / "tokenizer/vocab.json", lambda vocabulary: vocabulary.update(more=9999))
    else:
        data = bytearray((folder / PRIOR_WEIGHTS).read_bytes())
        data[-1] ^= 1
        (folder / PRIOR_WEIGHTS).write_bytes(data)
    assert resolve(folder).fingerprint() != fingerprint


EMBEDDED_FINGERPRINTS = {
    "prior": "0911578d4f09ac1bdaff894b22c55ea6793ba064cb3536379dfb265242e4ce79",
    "decoder": "b9fb016e645c835e29ee86e533a03496c6e8d89a27b9a07d5bf8996ad0ca3dd9",
}


@pytest.mark.parametrize("part", EMBEDDED_FINGERPRINTS)
def test_the_fingerprint_of_the_embedded_model_is_that_of_the_recipes_out_there(part: str) -> None:
    """Pictures hold it: to be changed only with the model's files."""
    assert resolve(EMBEDDED_FOLDER / part).fingerprint() == EMBEDDED_FINGERPRINTS[part]


# --- what is wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "~/nowhere", "nowhere", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(name: str) -> None:
    with refused(CheckpointNotFound, "no-folder", path=name):
        resolve(name)


def test_a_file_in_place_of_a_folder_is_named(folder: Path) -> None:
    with refused(CheckpointNotFound, "a-file", path=str(folder / "model_index.json")):
        resolve(folder / "model_index.json")


def test_a_folder_of_something_else_is_named(folder: Path) -> None:
    with refused(CheckpointNotFound, "no-index", source=str(folder / "prior"), path="model_index.json"):
        resolve(folder / "prior")


def test_a_component_that_the_pipeline_lacks_is_named(folder: Path) -> None:
    with refused(CheckpointNotFound, "not-in-index", components="unet", known=lambda names: "image_encoder" in names):
        resolve(folder, components=["unet", "prior"])


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / PRIOR_WEIGHTS).unlink()
    with refused(CheckpointNotFound, "no-weights", path=str(folder / "prior"), names="config.json"):
        resolve(folder)


LINKABLE = ["model_index.json", "prior", PRIOR_WEIGHTS, "scheduler/scheduler_config.json", "tokenizer/vocab.json"]


def read_all(folder: Path) -> None:
    checkpoint = resolve(folder)
    checkpoint.config("scheduler")
    checkpoint.tokenizer()
    build_prior(checkpoint)


def link(path: Path, target: Path) -> Path:
    """Put a link to `target`, where what lay there lies from now on, in the place of `path`."""
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("name", LINKABLE)
def test_a_link_to_what_is_not_there_is_named(folder: Path, name: str) -> None:
    target = folder / "elsewhere"
    path = link(folder / name, target)
    read_all(folder)
    target.rename(folder.parent / "unmounted")
    with refused(CheckpointBroken, "dangling-link", path=str(path), target=str(target)):
        read_all(folder)


@pytest.mark.parametrize("name", LINKABLE)
def test_a_link_out_of_the_model_s_folder_is_named(folder: Path, name: str) -> None:
    target = folder.parent / "elsewhere"
    path = link(folder / name, target)
    with refused(CheckpointBroken, "link-outside", path=str(path), target=str(target)):
        read_all(folder)


def test_the_links_of_a_copy_of_the_hub_lead_to_the_blobs_of_its_own_repository(folder: Path) -> None:
    repository = folder.parent / "models--owner--prior"
    (repository / "snapshots").mkdir(parents=True)
    snapshot = folder.rename(repository / "snapshots" / "main")
    for name in ("model_index.json", PRIOR_WEIGHTS, "tokenizer/vocab.json"):
        link(snapshot / name, repository / "blobs" / Path(name).name)
    read_all(snapshot)
    (folder.parent / "by another name").symlink_to(snapshot)
    read_all(folder.parent / "by another name")
    target = folder.parent / "models--owner--other" / "config.json"
    path = link(snapshot / "prior" / "config.json", target)
    with refused(CheckpointBroken, "link-outside", path=str(path), target=str(target)):
        read_all(snapshot)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_weights_that_are_no_finite_numbers_are_named(folder: Path, dtype: Any, value: float) -> None:
    values = {key: array.astype(dtype) for key, array in load_file(folder / PRIOR_WEIGHTS).items()}
    save_file(values, folder / PRIOR_WEIGHTS)
    assert build_prior(resolve(folder))
    values["clip_std"][0, 5] = value
    save_file(values, folder / PRIOR_WEIGHTS)
    with refused(CheckpointBroken, "not-finite", path=str(folder / PRIOR_WEIGHTS), key="clip_std"):
        build_prior(resolve(folder))


def test_large_weights_are_no_infinite_ones(folder: Path) -> None:
    """Their sum is infinite."""
    values = load_file(folder / PRIOR_WEIGHTS)
    values["clip_std"][:] = np.finfo(np.float32).max
    save_file(values, folder / PRIOR_WEIGHTS)
    assert build_prior(resolve(folder))


@pytest.mark.parametrize("pickle", ["diffusion_pytorch_model.bin", "prior.ckpt", "model.pth"])
def test_pickles_are_refused_with_the_reason(folder: Path, pickle: str) -> None:
    (folder / PRIOR_WEIGHTS).rename(folder / "prior" / pickle)
    with refused(CheckpointRefused, "pickles", path=str(folder / "prior"), file=pickle):
        resolve(folder)


def test_asking_for_pickles_is_refused_with_the_reason(folder: Path) -> None:
    with refused(CheckpointRefused, "pickles-asked-for"):
        resolve(folder, use_safetensors=False)
    assert resolve(folder, use_safetensors=None)


@pytest.mark.parametrize("name", ["model_index.json", "prior/config.json"])
@pytest.mark.parametrize(
    ("text", "code", "data"), [("{", "no-json", {}), ("[1]", "no-object", {"type": "list"}), ("\xff", "no-json", {})]
)
def test_json_that_is_none_is_named(folder: Path, name: str, text: str, code: str, data: dict[str, str]) -> None:
    (folder / name).write_text(text, encoding="latin-1")
    with refused(CheckpointBroken, code, path=str(folder / name), **data):
        resolve(folder).config("prior")


def test_a_missing_config_is_named(folder: Path) -> None:
    (folder / "scheduler" / "scheduler_config.json").unlink()
    with refused(CheckpointNotFound, "no-config", path=str(folder / "scheduler")):
        resolve(folder).config("scheduler")


def test_a_folder_without_tokenizer_is_named(folder: Path) -> None:
    (folder / "tokenizer" / "merges.txt").unlink()
    with refused(CheckpointNotFound, "no-tokenizer", path=str(folder / "tokenizer")):
        resolve(folder).tokenizer()


def test_a_broken_tokenizer_is_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_checkpoint / "decoder", tmp_path / "decoder")
    (folder / "tokenizer" / "tokenizer.json").write_text("{")
    with refused(CheckpointBroken, "bad-tokenizer", path=str(folder / "tokenizer")):
        resolve(folder).tokenizer()


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("vocab.json", "[]"),
        ("vocab.json", "null"),
        ("vocab.json", '{"a": 1e12}'),
        ("merges.txt", "#version: 0.2\na b c d"),
        ("tokenizer_config.json", "[]"),
        ("tokenizer_config.json", "{"),
    ],
)
def test_a_tokenizer_that_the_library_cannot_read_is_named(folder: Path, name: str, contents: str) -> None:
    (folder / "tokenizer" / name).write_text(contents)
    with refused(CheckpointBroken, "bad-tokenizer", path=str(folder / "tokenizer")):
        resolve(folder).tokenizer()


def test_what_is_no_fault_of_a_tokenizer_s_files_is_let_through(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(CLIPTokenizer, "from_pretrained", fail)
    with pytest.raises(MemoryError):
        resolve(folder).tokenizer()


def test_files_that_are_far_too_large_are_named_before_they_are_read(folder: Path) -> None:
    config, vocabulary = folder / "prior" / "config.json", folder / "tokenizer" / "vocab.json"
    for path in (config, vocabulary):
        with path.open("r+b") as file:
            file.truncate(300 * 2**20)  # of which the disk holds nothing
    with refused(CheckpointBroken, "too-large", path=str(config), size=300 * 2**20):
        resolve(folder).config("prior")
    with refused(CheckpointBroken, "too-large", path=str(vocabulary)):
        resolve(folder).tokenizer()


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_weights_are_named(folder: Path, keep: int) -> None:
    path = folder / PRIOR_WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    with refused(CheckpointBroken, "bad-file", path=str(path)):
        resolve(folder).weights("prior", ms.float32)


@pytest.mark.parametrize(
    ("change", "code", "data"),
    [
        (lambda values: values.pop("clip_mean"), "missing", {"key": "clip_mean", "shape": [1, 32]}),
        (lambda values: values.update(extra=np.zeros(2, np.float32)), "extra", {"names": "extra"}),
        (
            lambda values: values.update(clip_std=np.zeros((1, 3), np.float32)),
            "misshapen",
            {"key": "clip_std", "found": [1, 3], "shape": [1, 32]},
        ),
    ],
)
def test_a_missing_extra_or_misshapen_tensor_is_named(
    folder: Path, change: Callable[[dict[str, Any]], Any], code: str, data: dict[str, Any]
) -> None:
    values = load_file(folder / PRIOR_WEIGHTS)
    change(values)
    save_file(values, folder / PRIOR_WEIGHTS)
    with refused(WeightsError, code, path=str(folder / PRIOR_WEIGHTS), **data):
        build_prior(resolve(folder))
