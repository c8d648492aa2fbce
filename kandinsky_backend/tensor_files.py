"""Tensors in safetensors files: one file, or shards with an index. Read one by one; numpy only.

The format (https://huggingface.co/docs/safetensors): eight bytes with the header's length, a JSON header that gives
each tensor's dtype, shape and place, then the bytes. Read here, not by the safetensors package, because that one gives
numpy no bfloat16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_MAX_HEADER_BYTES = 100_000_000  # as in the safetensors package
# bfloat16 is the upper half of a float32, which numpy lacks: read as integers, and widened.
_FLOATS: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_ITEM_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_ITEM_BYTES |= {"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}
_SAMPLE_BYTES = 4096


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the text is one sentence that names the file and what to do."""


class CheckpointBroken(CheckpointError):
    """A file of a checkpoint is there, but its contents are not what they must be."""


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies."""

    path: Path
    key: str
    dtype: str  # as the header spells it: "F32", "F16", "BF16", "I64", ...
    shape: tuple[int, ...]
    start: int  # byte in the file
    nbytes: int

    @property
    def is_float(self) -> bool:
        return self.dtype in _FLOATS

    def read(self) -> npt.NDArray[Any]:
        """The values, in memory of their own: float16 or float32; bfloat16 comes widened to float32.

        Raises:
            CheckpointBroken: it holds something else than these floats.
        """
        if not self.is_float:
            raise CheckpointBroken(
                f"{self.path}: the tensor {self.key!r} is of type {self.dtype}; weights must be {', '.join(_FLOATS)}"
            )
        values = np.fromfile(self.path, _FLOATS[self.dtype], prod(self.shape), offset=self.start)
        if self.dtype == "BF16":
            values = (values.astype("<u4") << 16).view("<f4")
        return values.reshape(self.shape)

    def sample(self) -> bytes:
        """All bytes of a small tensor; the first, middle and last few of a large one."""
        part = self.nbytes if self.nbytes <= _SAMPLE_BYTES else _SAMPLE_BYTES // 16
        samples = []
        with self.path.open("rb", buffering=0) as file:
            for offset in sorted({0, (self.nbytes - part) // 2, self.nbytes - part}):
                file.seek(self.start + offset)
                samples.append(file.read(part))
        return b"".join(samples)


@dataclass(frozen=True)
class TensorFiles:
    """Tensors by name, wherever they lie; a weights.TensorSource."""

    path: Path  # of the file, or of the index of several
    tensors: Mapping[str, StoredTensor]

    @classmethod
    def open(cls, path: Path) -> TensorFiles:
        """The tensors of a .safetensors file, or of all files that an .index.json names. Reads no values.

        Raises:
            CheckpointBroken: a file is truncated, missing, or not what its name says.
        """
        return cls(path, read_index(path) if path.suffix == ".json" else read_header(path))

    def renamed(self, renames: Mapping[str, str]) -> TensorFiles:
        """The same tensors with each dotted part of a name that is in `renames` replaced.

        Checkpoints of different ages call the same layer by different names, e.g. "query" and "to_q".
        """

        def new(key: str) -> str:
            return ".".join(renames.get(part, part) for part in key.split("."))

        return TensorFiles(self.path, {new(key): tensor for key, tensor in self.tensors.items()})

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {key: tensor.shape for key, tensor in self.tensors.items()}

    def read(self, key: str) -> npt.NDArray[Any]:
        """See StoredTensor.read."""
        return self.tensors[key].read()

    def describe(self) -> str:
        return str(self.path)


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one .safetensors file, checked against its length."""
    file_bytes = path.stat().st_size
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        if not 2 <= header_bytes <= min(file_bytes - 8, _MAX_HEADER_BYTES):
            raise CheckpointBroken(f"{path} is not a safetensors file, or was cut short: fetch it again")
        header = parse_json(file.read(header_bytes), f"the header of {path}")
    header.pop("__metadata__", None)
    data_start = 8 + header_bytes
    tensors = {key: _stored_tensor(path, key, entry, data_start) for key, entry in header.items()}
    end = max((tensor.start + tensor.nbytes for tensor in tensors.values()), default=data_start)
    if end > file_bytes:
        raise CheckpointBroken(f"{path} was cut short: it has {file_bytes} of {end} bytes; fetch it again")
    return tensors


def read_index(path: Path) -> dict[str, StoredTensor]:
    """The tensors of all shards that an index names, each checked to be where the index says."""
    weight_map = read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointBroken(f"{path} has no weight_map: it is not an index of safetensors files")
    shards = {name: read_header(_shard(path, name)) for name in sorted(set(weight_map.values()))}
    for key, name in weight_map.items():
        if key not in shards[name]:
            raise CheckpointBroken(f"{path} places the tensor {key!r} in {name}, which does not hold it")
    return {key: tensor for shard in shards.values() for key, tensor in shard.items()}


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        CheckpointBroken: it holds something else.
    """
    return parse_json(path.read_bytes(), str(path))


def parse_json(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in `data`, which an error calls `name`."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as exc:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise CheckpointBroken(f"{name} is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise CheckpointBroken(f"{name} holds a JSON {type(value).__name__} where an object is needed")
    return value


def _stored_tensor(path: Path, key: str, entry: Any, data_start: int) -> StoredTensor:
    try:
        dtype, shape = entry["dtype"], tuple(entry["shape"])
        start, end = entry["data_offsets"]
        consistent = start >= 0 and min(shape, default=0) >= 0 and end - start == prod(shape) * _ITEM_BYTES[dtype]
    except (KeyError, TypeError, ValueError) as exc:
        raise CheckpointBroken(f"{path}: the header's entry of {key!r} cannot be understood: {entry}") from exc
    if not consistent:
        raise CheckpointBroken(f"{path}: the header's entry of {key!r} contradicts itself: {entry}")
    return StoredTensor(path, key, dtype, shape, data_start + start, end - start)


def _shard(index: Path, name: Any) -> Path:
    """A shard's path; the name must be that of a file beside the index, so that no index reaches other folders."""
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
        raise CheckpointBroken(f"{index} names {name!r}, which is no safetensors file beside it")
    path = index.parent / name
    if not path.is_file():
        raise CheckpointBroken(f"{index} needs the file {name}, which is not beside it: fetch it again")
    return path
