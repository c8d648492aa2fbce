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
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kandinsky_backend.checkpoint import (
    Checkpoint,
    CheckpointBroken,
    CheckpointError,
    CheckpointNotFound,
    CheckpointRefused,
    resolve,
)
from kandinsky_backend.models.prior import PriorTransformer, PriorTransformerConfig
from kandinsky_backend.tensor_files import TensorFiles
from kandinsky_backend.weights import WeightsError
from tests.random_checkpoint import WeightsWriter
from tests.random_weights import random_tensor

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


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(("dtype", "error"), [("fp32", 0.0), ("fp16", 2**-11), ("bf16", 2**-8)])
def test_values_of_every_dtype_are_read_from_one_file_or_shards(
    tmp_path: Path, dtype: str, error: float, shards: int
) -> None:
    WeightsWriter(dtype, shards=shards).write(tmp_path, "model", {}, SHAPES)
    files = TensorFiles.open(tmp_path / ("model.safetensors" if shards == 1 else "model.safetensors.index.json"))
    assert dict(files.shapes) == SHAPES
    for key, shape in SHAPES.items():
        np.testing.assert_allclose(files.read(key), random_tensor(key, shape), rtol=error, atol=0)


def test_files_of_the_safetensors_package_are_read(tmp_path: Path) -> None:
    values = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.array(7, np.float32)}
    save_file(values, tmp_path / "model.safetensors", metadata={"format": "pt"})
    files = TensorFiles.open(tmp_path / "model.safetensors")
    for key, value in values.items():
        np.testing.assert_array_equal(files.read(key), value)


def test_files_of_the_test_writer_are_read_by_the_safetensors_package(tmp_path: Path) -> None:
    WeightsWriter("fp16").write(tmp_path, "model", {}, SHAPES)
    assert {key: value.shape for key, value in load_file(tmp_path / "model.safetensors").items()} == SHAPES


def test_a_model_is_built_from_its_folder(folder: Path) -> None:
    model = build_prior(resolve(folder))
    name, parameter = "clip_mean", build_prior(resolve(str(folder))).clip_mean
    np.testing.assert_array_equal(model.clip_mean.asnumpy(), random_tensor(name, parameter.shape))


def test_tensors_can_go_by_other_names(tmp_path: Path) -> None:
    WeightsWriter("fp32").write(tmp_path, "model", {}, SHAPES)
    renamed = TensorFiles.open(tmp_path / "model.safetensors").renamed({"query": "to_out.0"})
    assert set(renamed.shapes) == {"a.weight", "b.bias", "c.to_out.0.weight"}
    np.testing.assert_array_equal(
        renamed.read("c.to_out.0.weight"), random_tensor("c.query.weight", SHAPES["c.query.weight"])
    )


def test_bytes_of_a_model_count_its_floats_in_the_dtype_of_memory(folder: Path) -> None:
    sizes = sum(value.size for key, value in load_file(folder / "text_encoder/model.safetensors").items())
    positions = 77  # of integers, that no model keeps
    checkpoint = resolve(folder)
    assert checkpoint.bytes_of("text_encoder", ms.float32) == 4 * (sizes - positions)
    assert checkpoint.bytes_of("text_encoder", ms.bfloat16) == 2 * (sizes - positions)


def test_only_the_asked_components_are_needed(folder: Path) -> None:
    shutil.rmtree(folder / "image_encoder")
    assert resolve(folder, components=["prior", "scheduler"]).components == ("prior", "scheduler")
    with pytest.raises(CheckpointNotFound, match="no folder 'image_encoder'"):
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
    shapes = {key: tensor.shape for key, tensor in TensorFiles.open(folder / PRIOR_WEIGHTS).tensors.items()}
    (folder / PRIOR_WEIGHTS).unlink()
    WeightsWriter("fp16", "fp16", shards).write(
        folder / "prior", "diffusion_pytorch_model", plain.config("prior"), shapes
    )
    checkpoint = resolve(folder, variant="fp16")
    assert ".fp16" in checkpoint.weights("prior", ms.float32).source.describe()
    assert checkpoint.weights("text_encoder", ms.float32).source.describe().endswith("text_encoder/model.safetensors")
    assert build_prior(checkpoint).clip_mean.dtype == ms.float32
    with pytest.raises(CheckpointNotFound, match=r"no model.safetensors .*it has config.json, .*fp16"):
        resolve(folder)


def test_a_variant_that_no_component_has_is_named(folder: Path) -> None:
    message = r"no weights of the variant 'fp16', such as .*\.fp16\.safetensors; it has .*\.safetensors"
    with pytest.raises(CheckpointNotFound, match=message):
        resolve(folder, variant="fp16")


def test_the_other_spelling_of_a_sharded_variants_index_is_known(folder: Path) -> None:
    shapes = {key: tensor.shape for key, tensor in TensorFiles.open(folder / PRIOR_WEIGHTS).tensors.items()}
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


# --- what is wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "~/nowhere", "nowhere", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(CheckpointNotFound, match=f"there is no folder {name}"):
        resolve(name)


def test_a_file_in_place_of_a_folder_is_named(folder: Path) -> None:
    with pytest.raises(CheckpointNotFound, match="is a file: give the folder"):
        resolve(folder / "model_index.json")


def test_a_folder_of_something_else_is_named(folder: Path) -> None:
    with pytest.raises(CheckpointNotFound, match=r"prior has no model_index\.json: it is not the folder"):
        resolve(folder / "prior")


def test_a_component_that_the_pipeline_lacks_is_named(folder: Path) -> None:
    with pytest.raises(CheckpointNotFound, match=r"has no unet: its model_index\.json names image_encoder, "):
        resolve(folder, components=["unet", "prior"])


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / PRIOR_WEIGHTS).unlink()
    with pytest.raises(CheckpointNotFound, match=r"prior holds no model\.safetensors .* it has config\.json"):
        resolve(folder)


@pytest.mark.parametrize("pickle", ["diffusion_pytorch_model.bin", "prior.ckpt", "model.pth"])
def test_pickles_are_refused_with_the_reason(folder: Path, pickle: str) -> None:
    (folder / PRIOR_WEIGHTS).rename(folder / "prior" / pickle)
    with pytest.raises(CheckpointRefused, match=rf"{pickle} and no safetensors file: .* can run any program"):
        resolve(folder)


def test_asking_for_pickles_is_refused_with_the_reason(folder: Path) -> None:
    with pytest.raises(CheckpointRefused, match=r"use_safetensors=False was asked for, but .* can run any program"):
        resolve(folder, use_safetensors=False)
    assert resolve(folder, use_safetensors=None)


@pytest.mark.parametrize("name", ["model_index.json", "prior/config.json"])
@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not JSON"), ("[1]", "holds a JSON list"), ("\xff", "not JSON")]
)
def test_json_that_is_none_is_named(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointBroken, match=f"{name}.*{message}"):
        resolve(folder).config("prior")


def test_a_missing_config_is_named(folder: Path) -> None:
    (folder / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(CheckpointNotFound, match=r"scheduler holds none of config\.json, "):
        resolve(folder).config("scheduler")


def test_a_folder_without_tokenizer_is_named(folder: Path) -> None:
    (folder / "tokenizer" / "merges.txt").unlink()
    with pytest.raises(CheckpointNotFound, match="tokenizer holds no tokenizer"):
        resolve(folder).tokenizer()


def test_a_broken_tokenizer_is_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_checkpoint / "decoder", tmp_path / "decoder")
    (folder / "tokenizer" / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointBroken, match=r"the tokenizer in .*tokenizer cannot be read"):
        resolve(folder).tokenizer()


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_weights_are_named(folder: Path, keep: int) -> None:
    path = folder / PRIOR_WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointBroken, match=r"diffusion_pytorch_model\.safetensors .*cut short"):
        resolve(folder).weights("prior", ms.float32)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-2, -1], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": None, "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2]},
        7,
    ],
)
def test_a_header_that_makes_no_sense_is_named(tmp_path: Path, entry: Any) -> None:
    header = json.dumps({"x": entry}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    with pytest.raises(CheckpointBroken, match=r"model\.safetensors: the header's entry of 'x'"):
        TensorFiles.open(path)


def test_weights_that_are_no_floats_are_named(tmp_path: Path) -> None:
    save_file({"x": np.arange(3)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointBroken, match="'x' is of type I64; weights must be F32, F16, BF16"):
        TensorFiles.open(tmp_path / "model.safetensors").read("x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.pop("weight_map"), "has no weight_map"),
        (lambda index: index["weight_map"].update({"a.weight": "more.safetensors"}), "needs the file more.safetensors"),
        (lambda index: index["weight_map"].update({"a.weight": "../x.safetensors"}), "no safetensors file beside it"),
        (lambda index: index["weight_map"].update({"a.weight": "model.bin"}), "no safetensors file beside it"),
        (
            lambda index: index["weight_map"].update(z="model-00001-of-00002.safetensors"),
            "'z' in model-00001.*not hold",
        ),
    ],
)
def test_a_wrong_index_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    WeightsWriter("fp32", shards=2).write(tmp_path, "model", {}, SHAPES)
    index = tmp_path / "model.safetensors.index.json"
    edit_json(index, change)
    with pytest.raises(CheckpointBroken, match=rf"model\.safetensors\.index\.json .*{message}"):
        TensorFiles.open(index)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("clip_mean"), r"safetensors: the tensor 'clip_mean' \[1, 32\] is missing"),
        (lambda values: values.update(extra=np.zeros(2, np.float32)), "does not know the tensors extra"),
        (lambda values: values.update(clip_std=np.zeros((1, 3), np.float32)), r"'clip_std' has shape \[1, 3\], .*32"),
    ],
)
def test_a_missing_extra_or_misshapen_tensor_is_named(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    values = load_file(folder / PRIOR_WEIGHTS)
    change(values)
    save_file(values, folder / PRIOR_WEIGHTS)
    with pytest.raises(WeightsError, match=message):
        build_prior(resolve(folder))


def test_all_errors_are_one_tree() -> None:
    assert issubclass(CheckpointError, ValueError)
    assert {CheckpointBroken, CheckpointNotFound, CheckpointRefused} < set(CheckpointError.__subclasses__())
