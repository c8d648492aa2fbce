"""Writing a pipeline's components into a folder of the published layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kandinsky_backend.checkpoint import Checkpoint
from kandinsky_backend.errors import CheckpointRefused
from kandinsky_backend.images import ClipImageProcessor
from kandinsky_backend.layout import TOKENIZER_FILES
from kandinsky_backend.model_files import read_json
from kandinsky_backend.schedulers import Scheduler

REFERENCE = "0.39.0"  # of diffusers; what it writes into its configs

# Library and class that published checkpoints name for a component of ours; those not here are transformers' own.
_DIFFUSERS = "diffusers"
_PUBLISHED = {
    "PriorTransformer": (_DIFFUSERS, "PriorTransformer"),
    "UNet2DConditionModel": (_DIFFUSERS, "UNet2DConditionModel"),
    "MoVQ": (_DIFFUSERS, "VQModel"),
    "MultilingualCLIP": ("kandinsky", "MultilingualCLIP"),
    "ClipImageProcessor": ("transformers", "CLIPImageProcessor"),
    # What transformers 5 makes of the name that 4 and 5 know.
    "TokenizersBackend": ("transformers", "PreTrainedTokenizerFast"),
}


def model_index(pipeline: str, models: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of the model_index.json of a pipeline's class.

    Args:
        models: the ModelFiles of each component that is a model.
        components: all components.
    """
    kinds = {name: models[name].model if name in models else type(components[name]) for name in sorted(components)}
    return {
        "_class_name": pipeline,
        "_diffusers_version": REFERENCE,
        **{name: list(_published(kind)) for name, kind in kinds.items()},
    }


def _published(kind: type) -> tuple[str, str]:
    """Library and class of a component."""
    if issubclass(kind, Scheduler):
        return _DIFFUSERS, kind.__name__
    return _PUBLISHED.get(kind.__name__, ("transformers", kind.__name__))


def save(folder: Path, index: Mapping[str, Any], components: Mapping[str, Any], variant: str | None) -> None:
    """Write `index` and the components; see Pipeline.save_pretrained."""
    models = {name: _stored(name, value) for name, value in components.items() if hasattr(value, "stored")}
    for checkpoint, _ in models.values():
        if checkpoint.folder.resolve() == folder.resolve():
            raise CheckpointRefused(
                "{path} is what the pipeline reads from: choose another folder to save it in",
                "own-folder",
                path=str(folder),
            )
    for name, value in components.items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        if name in models:
            _copy(*models[name], target, variant)
        elif isinstance(value, Scheduler):
            _write_json(target / "scheduler_config.json", _scheduler_config(value))
        elif isinstance(value, ClipImageProcessor):
            _write_json(target / "preprocessor_config.json", value.to_dict())
        else:
            _save_tokenizer(value, target)
    _write_json(folder / "model_index.json", index)


def _stored(name: str, part: Any) -> tuple[Checkpoint, str]:
    """The checkpoint of a model, and its component there."""
    if part.stored is None:
        raise CheckpointRefused(
            "the {name} was given to the pipeline as a model: only what from_pretrained read can be saved",
            "given-model",
            name=name,
        )
    return part.stored.checkpoint, part.stored.name


def _copy(checkpoint: Checkpoint, component: str, folder: Path, variant: str | None) -> None:
    """Copy a model's config and weights, with `variant` in the names of the latter."""
    config, weights = checkpoint.files_of(component)
    shutil.copyfile(config, folder / "config.json")
    stem, middle = weights.name.partition(".")[0], f".{variant}" if variant else ""
    if weights.suffix != ".json":
        shutil.copyfile(weights, folder / f"{stem}{middle}.safetensors")
        return
    index = read_json(weights)
    shards = sorted(set(index["weight_map"].values()))
    names = {shard: f"{stem}{middle}-{n:05d}-of-{len(shards):05d}.safetensors" for n, shard in enumerate(shards, 1)}
    for shard, name in names.items():
        shutil.copyfile(weights.parent / shard, folder / name)
    index["weight_map"] = {key: names[shard] for key, shard in index["weight_map"].items()}
    _write_json(folder / f"{stem}.safetensors.index{middle}.json", index)


def _save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Copy a tokenizer's files where there are any: transformers 5 writes such that 4 does not read as this class."""
    source = Path(tokenizer.name_or_path)
    paths = [source / name for name in TOKENIZER_FILES if (source / name).is_file()]
    for path in paths:
        shutil.copyfile(path, folder / path.name)
    if not paths:
        tokenizer.save_pretrained(str(folder))


def _scheduler_config(scheduler: Scheduler) -> dict[str, Any]:
    given = {name: scheduler.config[name] for name in sorted(scheduler.config.given)}
    return {"_class_name": type(scheduler).__name__, "_diffusers_version": REFERENCE, **given}


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
