"""Tensors in safetensors files: one file, or shards with an index. Read one by one, by the safetensors package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from kandinsky_backend.errors import CheckpointBroken
from kandinsky_backend.model_files import read_json, unreadable

_FLOATS = ("F32", "F16", "BF16")
_NUMPYS_OWN = frozenset({"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"})
_SAMPLE_BYTES = 4096
# The package maps files into memory, where what was read stays until the file is closed: reading 5 GB would count as
# 5 GB more of this process. So a file is opened anew after so many bytes.
_MAX_MAPPED_BYTES = 64 * 2**20


@dataclass(frozen=True)
class StoredTensor:
    """A tensor's place, type and shape."""

    path: Path
    key: str  # its name in that file
    dtype: str  # as the file spells it: "F32", "F16", "BF16", "I64", ...
    shape: tuple[int, ...]

    @property
    def is_float(self) -> bool:
        """True for the types that a model can take."""
        return self.dtype in _FLOATS


@dataclass(frozen=True)
class WeightFiles:
    """Tensors by name, wherever they lie; a weights.TensorSource. Keeps a file open from the first read on."""

    path: Path  # of the file, or of the index of several
    tensors: Mapping[str, StoredTensor]
    _open: dict[Path, _OpenFile] = field(default_factory=dict, repr=False, compare=False)  # one at most

    @classmethod
    def open(cls, path: Path) -> WeightFiles:
        """Find the tensors of a .safetensors file, or of all files that an .index.json names. Reads no values.

        Raises:
            CheckpointBroken: a file is truncated, missing, or not what its name says.
        """
        return cls(path, _read_index(path) if path.suffix == ".json" else _read_header(path))

    def renamed(self, renames: Mapping[str, str]) -> WeightFiles:
        """The same tensors with each dotted part of a name that is in `renames` replaced.

        Checkpoints of different ages call the same layer by different names, e.g. "query" and "to_q".
        """

        def new(key: str) -> str:
            return ".".join(renames.get(part, part) for part in key.split("."))

        return WeightFiles(self.path, {new(key): tensor for key, tensor in self.tensors.items()})

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of every tensor."""
        return {key: tensor.shape for key, tensor in self.tensors.items()}

    def read(self, key: str) -> npt.NDArray[Any]:
        """The values of a tensor, in memory of their own: float16 or float32; bfloat16 comes widened to float32.

        Raises:
            CheckpointBroken: it holds something else than these floats, or a value that is no finite number.
        """
        tensor = self.tensors[key]
        if not tensor.is_float:
            raise CheckpointBroken(
                "{path}: the tensor {key!r} is of type {dtype}; weights must be {floats}",
                "not-floats",
                path=str(tensor.path),
                key=tensor.key,
                dtype=tensor.dtype,
                floats=", ".join(_FLOATS),
            )
        stored = self._file_of(tensor).read(tensor.key)
        values = stored.astype(np.float32) if tensor.dtype == "BF16" else stored
        if not _all_finite(values):
            raise CheckpointBroken(
                "{path}: the tensor {key!r} holds values that are not finite numbers: fetch the file again, or take "
                "the weights of another training step",
                "not-finite",
                path=str(tensor.path),
                key=tensor.key,
            )
        return values

    def sample(self, key: str) -> bytes:
        """All bytes of a small tensor; the first, middle and last few of a large one."""
        tensor = self.tensors[key]
        return self._file_of(tensor).sample(tensor)

    def describe(self) -> str:
        """The path, for error messages."""
        return str(self.path)

    def _file_of(self, tensor: StoredTensor) -> _OpenFile:
        if tensor.dtype not in _NUMPYS_OWN:
            import ml_dtypes  # noqa: F401  # gives numpy a bfloat16, which the safetensors package then finds by name
        file = self._open.get(tensor.path)
        if file is None or file.mapped_bytes > _MAX_MAPPED_BYTES:
            self._open.clear()
            file = self._open[tensor.path] = _OpenFile(tensor.path)
        return file


class _OpenFile:
    """A file of tensors that stays open as long as this object lives."""

    def __init__(self, path: Path) -> None:
        self._handle = _opened(path)
        self.mapped_bytes = 0

    def read(self, key: str) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = self._handle.get_tensor(key)
        self.mapped_bytes += values.nbytes
        return values

    def sample(self, tensor: StoredTensor) -> bytes:
        """See WeightFiles.sample."""
        if not tensor.shape or not prod(tensor.shape):
            return self.read(tensor.key).tobytes()
        rows = self._handle.get_slice(tensor.key)
        row_bytes = rows[0:1].nbytes
        nbytes = row_bytes * tensor.shape[0]
        part = nbytes if nbytes <= _SAMPLE_BYTES else _SAMPLE_BYTES // 16
        samples = []
        for start in sorted({0, (nbytes - part) // 2, nbytes - part}):
            first, end = start // row_bytes, -(-(start + part) // row_bytes)
            data = rows[first:end].tobytes()
            self.mapped_bytes += len(data)
            samples.append(data[start - first * row_bytes :][:part])
        return b"".join(samples)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="np")
    except OSError as exc:
        raise unreadable(path, exc) from exc
    except SafetensorError as exc:
        raise CheckpointBroken(
            "{path} is not a safetensors file, or was cut short: fetch it again ({reason})",
            "bad-file",
            path=str(path),
            reason=str(exc),
        ) from exc


def _all_finite(values: npt.NDArray[Any]) -> bool:
    """True if no value is infinite or NaN; takes half of what numpy.isfinite does (float16: a tenth)."""
    if values.dtype == np.float16:  # by their bits: those of infinity, or greater ones with either sign
        bits = values.view(np.int16)
        return not values.size or bool(bits.max() < 0x7C00 and bits.view(np.uint16).max() < 0xFC00)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(values, axis=None)
    # One value that is not finite makes the sum so. Rarely finite ones do too: then each is looked at.
    return bool(np.isfinite(total) or np.isfinite(values).all())


def _read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one .safetensors file."""
    file = _opened(path)
    slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  # it is no mapping
    return {key: StoredTensor(path, key, part.get_dtype(), tuple(part.get_shape())) for key, part in slices.items()}


def _read_index(path: Path) -> dict[str, StoredTensor]:
    """The tensors of all shards that an index names, each checked to be where the index says."""
    weight_map = read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointBroken(
            "{path} has no weight_map: it is not an index of safetensors files", "no-weight-map", path=str(path)
        )
    shards = {name: _read_header(_shard(path, name)) for name in sorted(set(weight_map.values()))}
    for key, name in weight_map.items():
        if key not in shards[name]:
            raise CheckpointBroken(
                "{path} places the tensor {key!r} in {file}, which does not hold it",
                "not-in-shard",
                path=str(path),
                key=key,
                file=name,
            )
    return {key: tensor for shard in shards.values() for key, tensor in shard.items()}


def _shard(index: Path, name: Any) -> Path:
    """A shard's path; the name must be that of a file beside the index, so that no index reaches other folders."""
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
        raise CheckpointBroken(
            "{path} names {file!r}, which is no safetensors file beside it", "bad-shard", path=str(index), file=name
        )
    path = index.parent / name
    if not path.is_file():
        raise CheckpointBroken(
            "{path} needs the file {file}, which is not beside it: fetch it again",
            "no-shard",
            path=str(index),
            file=name,
        )
    return path
