"""Opening a model for blends, whatever its family."""

from __future__ import annotations

import hashlib

import mindspore as ms

from kandinsky_backend import device
from kandinsky_backend.blend.blender import Blender
from kandinsky_backend.blend.cache import EmbedsCache
from kandinsky_backend.blend.recipe import Identity
from kandinsky_backend.errors import BlendError
from kandinsky_backend.families import ModelSource
from kandinsky_backend.residency import Residency


def open_blender(source: ModelSource, dtype: ms.Type, residency: Residency, cache: EmbedsCache) -> Blender:
    """The blender of a model. Its files are found, or downloaded, now; its weights are read when they are needed.

    Args:
        dtype: precision to compute in, where the device can.
        residency: keeps the weights within a memory budget.
        cache: of embeddings; may be shared by several models.

    Raises:
        BlendError: models of this family do not blend.
        CheckpointError: the files are not there, not what they must be, or hold a value that is not implemented.
        DeviceError: `dtype` is no precision.
    """
    if "blend" not in source.family.jobs:
        raise BlendError("the model {name!r} does not blend", "no-blends", name=source.name)
    pipelines = {
        part: source.family.pipeline(part).from_pretrained(place, mindspore_dtype=dtype, residency=residency)
        for part, place in source.parts.items()
    }
    fingerprints = [pipeline.checkpoint.fingerprint() for pipeline in pipelines.values()]
    model_hash = hashlib.sha256(" ".join(fingerprints).encode()).hexdigest()
    precision = device.name_of(device.compute_dtype(dtype))
    identity = Identity(source.label, model_hash, precision, device.current())
    return Blender(pipelines["prior"], pipelines["decoder"], identity, cache, source.side, source.sampling)
