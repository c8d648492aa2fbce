"""Tensors in safetensors files: dtypes, shards, samples; and each way in which a file can be wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kandinsky_backend.errors import CheckpointBroken
from kandinsky_backend.model_files import read_json
from kandinsky_backend.weight_files import WeightFiles
from tests.random_checkpoint import WeightsWriter
from tests.random_weights import random_tensor
from tests.refusals import refused

SHAPES = {"a.weight": (6, 4), "b.bias": (5,), "c.query.weight": (3, 2, 1)}


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize(("dtype", "error"), [("fp32", 0.0), ("fp16", 2**-11), ("bf16", 2**-8)])
def test_values_of_every_dtype_are_read_from_one_file_or_shards(
    tmp_path: Path, dtype: str, error: float, shards: int
) -> None:
    WeightsWriter(dtype, shards=shards).write(tmp_path, "model", {}, SHAPES)
    files = WeightFiles.open(tmp_path / ("model.safetensors" if shards == 1 else "model.safetensors.index.json"))
    assert dict(files.shapes) == SHAPES
    for key, shape in SHAPES.items():
        values = files.read(key)
        assert values.dtype == (np.float16 if dtype == "fp16" else np.float32)
        np.testing.assert_allclose(values, random_tensor(key, shape), rtol=error, atol=0)


def test_files_of_the_safetensors_package_are_read(tmp_path: Path) -> None:
    values = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.array(7, np.float32)}
    save_file(values, tmp_path / "model.safetensors", metadata={"format": "pt"})
    files = WeightFiles.open(tmp_path / "model.safetensors")
    for key, value in values.items():
        np.testing.assert_array_equal(files.read(key), value)


def test_files_of_the_test_writer_are_read_by_the_safetensors_package(tmp_path: Path) -> None:
    WeightsWriter("fp16").write(tmp_path, "model", {}, SHAPES)
    assert {key: value.shape for key, value in load_file(tmp_path / "model.safetensors").items()} == SHAPES


def test_what_was_read_stays_when_the_file_is_gone(tmp_path: Path) -> None:
    WeightsWriter("fp32").write(tmp_path, "model", {}, SHAPES)
    values = WeightFiles.open(tmp_path / "model.safetensors").read("a.weight")
    (tmp_path / "model.safetensors").unlink()
    values += 1.0
    np.testing.assert_array_equal(values, random_tensor("a.weight", SHAPES["a.weight"]) + 1.0)


def test_tensors_can_go_by_other_names(tmp_path: Path) -> None:
    WeightsWriter("fp32").write(tmp_path, "model", {}, SHAPES)
    renamed = WeightFiles.open(tmp_path / "model.safetensors").renamed({"query": "to_out.0"})
    assert set(renamed.shapes) == {"a.weight", "b.bias", "c.to_out.0.weight"}
    np.testing.assert_array_equal(
        renamed.read("c.to_out.0.weight"), random_tensor("c.query.weight", SHAPES["c.query.weight"])
    )


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("shape", [(4,), (1024,), (1025,), (7, 1023), (1, 3, 4099), (301, 17, 3, 3)])
def test_a_sample_is_the_bytes_of_the_file_at_its_start_middle_and_end(
    tmp_path: Path, dtype: str, shape: tuple[int, ...]
) -> None:
    """Fingerprints are made of samples, and recipes hold fingerprints: which bytes they are is fixed."""
    WeightsWriter(dtype).write(tmp_path, "model", {}, {"before": (3,), "x": shape, "z": (5,)})
    path = tmp_path / "model.safetensors"
    data = path.read_bytes()
    header_bytes = int.from_bytes(data[:8], "little")
    start, end = json.loads(data[8 : 8 + header_bytes])["x"]["data_offsets"]
    stored = data[8 + header_bytes :][start:end]
    part = len(stored) if len(stored) <= 4096 else 256
    middle = (len(stored) - part) // 2
    pieces = [stored] if part == len(stored) else [stored[at : at + part] for at in (0, middle, len(stored) - part)]
    assert WeightFiles.open(path).sample("x") == b"".join(pieces)


MEASURE = """
import resource, sys
from pathlib import Path
import numpy as np
from kandinsky_backend.weight_files import WeightFiles
files = WeightFiles.open(Path(sys.argv[1]))
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20
before = resident()
print(max(resident() - before for key in files.shapes if files.read(key).any()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reading_a_large_file_does_not_take_its_size_in_memory(tmp_path: Path) -> None:
    values = {str(i): np.ones(2**20, np.float32) for i in range(64)}  # 256 MB
    save_file(values, tmp_path / "model.safetensors")
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "model.safetensors")], check=True, capture_output=True, text=True
    )
    assert int(run.stdout) < 128  # MB: a part of the file, and a tensor


# --- what is wrong -----------------------------------------------------------------------------------------------


def written(path: Path, header: Any) -> Path:
    """A file with 64 bytes of data behind a header."""
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + bytes(64))
    return path


def whole(**change: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]} | change


def test_a_header_that_is_right_is_read(tmp_path: Path) -> None:
    """The header that those below are changes of."""
    assert WeightFiles.open(written(tmp_path / "model.safetensors", {"x": whole()})).shapes == {"x": (16,)}


@pytest.mark.parametrize(
    "entry",
    [
        whole(shape=[4]),
        whole(shape=[-4, -4]),
        whole(shape=[16.0]),
        whole(shape=None),
        whole(data_offsets=[-64, 0]),
        whole(data_offsets=[0.5, 64.5]),
        whole(data_offsets=[0, 64.0]),
        whole(data_offsets=[64, 128]),
        whole(dtype="F99"),
        {"dtype": "F32", "shape": [16]},
        7,
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path: Path, entry: Any) -> None:
    path = written(tmp_path / "model.safetensors", {"x": entry})
    with refused(CheckpointBroken, "bad-file", path=str(path)):
        WeightFiles.open(path)


def test_tensors_that_overlap_are_refused(tmp_path: Path) -> None:
    halves = {"x": whole(shape=[9], data_offsets=[0, 36]), "y": whole(shape=[9], data_offsets=[28, 64])}
    path = written(tmp_path / "model.safetensors", halves)
    with refused(CheckpointBroken, "bad-file", path=str(path)):
        WeightFiles.open(path)


def test_weights_that_are_no_floats_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"x": np.arange(3)}, path)
    with refused(CheckpointBroken, "not-floats", path=str(path), key="x", dtype="I64"):
        WeightFiles.open(path).read("x")


@pytest.mark.parametrize(
    ("change", "code", "data"),
    [
        (lambda index: index.pop("weight_map"), "no-weight-map", {}),
        (
            lambda index: index["weight_map"].update({"a.weight": "x.safetensors"}),
            "no-shard",
            {"file": "x.safetensors"},
        ),
        (lambda index: index["weight_map"].update({"a.weight": "../x.safetensors"}), "bad-shard", {}),
        (lambda index: index["weight_map"].update({"a.weight": "model.bin"}), "bad-shard", {"file": "model.bin"}),
        (
            lambda index: index["weight_map"].update(z="model-00001-of-00002.safetensors"),
            "not-in-shard",
            {"key": "z", "file": "model-00001-of-00002.safetensors"},
        ),
    ],
)
def test_a_wrong_index_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], code: str, data: dict[str, Any]
) -> None:
    WeightsWriter("fp32", shards=2).write(tmp_path, "model", {}, SHAPES)
    path = tmp_path / "model.safetensors.index.json"
    index = read_json(path)
    change(index)
    path.write_text(json.dumps(index))
    with refused(CheckpointBroken, code, path=str(path), **data):
        WeightFiles.open(path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_file_that_the_disk_does_not_give_is_named() -> None:
    for read in (read_json, WeightFiles.open):
        with refused(CheckpointBroken, "unreadable", path="/proc/self/mem"):
            read(Path("/proc/self/mem"))
