"""The published layout of a checkpoint: a folder a component, with a config, a tokenizer, or safetensors files.

Imports no MindSpore.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from kandinsky_backend.errors import CheckpointBroken, CheckpointError, CheckpointNotFound, CheckpointRefused
from kandinsky_backend.model_files import check_links, read_json

INDEX = "model_index.json"
CONFIGS = ("config.json", "scheduler_config.json", "preprocessor_config.json")
VOCABULARIES = ("vocab.json", "merges.txt", "tokenizer.json")
TOKENIZER_FILES = (*VOCABULARIES, "tokenizer_config.json", "special_tokens_map.json")  # with their settings
SMALL_FILES = (*CONFIGS, *TOKENIZER_FILES)
_STEMS = ("model", "diffusion_pytorch_model")  # of transformers' and of diffusers' weights
_PICKLES = (".bin", ".ckpt", ".pth", ".pt", ".pkl")
WHY_NO_PICKLES = "pickled weights can run any program when they are opened, so only safetensors files are read"


def component_names(folder: Path, source: str, wanted: Collection[str] | None) -> list[str]:
    """The components that model_index.json names, or of these the wanted ones.

    Args:
        source: what the user called the folder.

    Raises:
        CheckpointNotFound: there is no index, or it does not name all the wanted ones.
        CheckpointBroken: the index is no JSON object; or a link, as of component_folder.
    """
    path = folder / INDEX
    check_links(folder, folder)
    if not path.is_file():
        raise CheckpointNotFound(
            "{source} has no {path}: it is not the folder of a whole pipeline", "no-index", source=source, path=INDEX
        )
    entries = read_json(path).items()
    known = [name for name, value in entries if isinstance(value, list) and value and value[0]]
    missing = sorted(set(wanted or ()) - set(known))
    if missing:
        raise CheckpointNotFound(
            "{source} has no {components}: its model_index.json names {known}",
            "not-in-index",
            source=source,
            components=", ".join(missing),
            known=", ".join(known),
        )
    return [name for name in known if wanted is None or name in wanted]


def component_folder(folder: Path, source: str, component: str) -> Path:
    """The folder of a component in a checkpoint's.

    Raises:
        CheckpointNotFound: it is not there.
        CheckpointBroken: it is, or holds, a link to what is not there, or out of the checkpoint's folder.
    """
    path = folder / component
    check_links(path, folder)
    if not path.is_dir():
        raise CheckpointNotFound(
            "{source} has no folder {component!r}: fetch the model again; it has {names}",
            "no-component",
            source=source,
            component=component,
            names=", ".join(_names(folder)) or "nothing",
        )
    return path


def config_path(component: Path) -> Path:
    """The config in a component's folder.

    Raises:
        CheckpointNotFound: it has none.
    """
    for name in CONFIGS:
        if (component / name).is_file():
            return component / name
    raise CheckpointNotFound(
        "{path} holds none of {names}: fetch it again", "no-config", path=str(component), names=", ".join(CONFIGS)
    )


def read_config(component: Path) -> dict[str, Any]:
    """The settings in a component's config.

    Raises:
        CheckpointNotFound: it has no config.
        CheckpointBroken: the config is no JSON object, or an empty one.
    """
    path = config_path(component)
    settings = read_json(path)
    if not settings:
        raise CheckpointBroken("{path} holds no settings: fetch it again", "no-settings", path=str(path))
    return settings


def has_model(component: Path) -> bool:
    """Tell whether a component has weights: those without call their config something else than config.json."""
    return (component / "config.json").is_file()


def has_clip_tokenizer(component: Path) -> bool:
    """Tell whether a component has a tokenizer in CLIP's files, and not one in tokenizer.json.

    Raises:
        CheckpointNotFound: it has none.
    """
    if (component / "vocab.json").is_file() and (component / "merges.txt").is_file():
        return True
    if (component / "tokenizer.json").is_file():
        return False
    raise CheckpointNotFound(
        "{path} holds no tokenizer, which is vocab.json and merges.txt or tokenizer.json: fetch it again",
        "no-tokenizer",
        path=str(component),
    )


def weights_path(component: Path, variant: str | None) -> Path:
    """A component's file or index: the variant's, or the plain one where the component has no such variant.

    Raises:
        CheckpointNotFound: it has none.
        CheckpointRefused: it has pickles only.
    """
    path = find_weights(component, variant) or find_weights(component, None)
    if path is None:
        raise no_weights(component, _names(component))
    return path


def find_weights(folder: Path, variant: str | None) -> Path | None:
    """The file of weights, or the index of several, of a variant (None: of none) in a component's folder."""
    candidates = [folder / name for stem in _STEMS for name in (single_file(stem, variant), *_indexes(stem, variant))]
    return next((path for path in candidates if path.is_file()), None)


def single_file(stem: str, variant: str | None) -> str:
    """The name of a file that holds all weights."""
    return f"{stem}.{variant}.safetensors" if variant else f"{stem}.safetensors"


def _indexes(stem: str, variant: str | None) -> tuple[str, ...]:
    """The names that diffusers and transformers give to the index of a sharded file."""
    if variant is None:
        return (f"{stem}.safetensors.index.json",)
    return f"{stem}.safetensors.index.{variant}.json", f"{stem}.{variant}.safetensors.index.json"


def weight_files(variant: str | None) -> list[str]:
    """The files' names, as patterns of fnmatch."""
    shard = "-?????-of-?????"
    shards = [f"{shard}.{variant}", f".{variant}{shard}"] if variant else [shard]
    return [
        name
        for stem in _STEMS
        for name in (single_file(stem, variant), *_indexes(stem, variant), *(f"{stem}{s}.safetensors" for s in shards))
    ]


def patterns(components: Collection[str], names: Iterable[str]) -> list[str]:
    """The paths of the named files of components, for fnmatch."""
    return [f"{component}/{name}" for component in components for name in names]


def no_weights(folder: str | Path, names: list[str]) -> CheckpointError:
    """The error about a component's folder that holds the files `names` and no weights that are read."""
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles:
        return CheckpointRefused(
            "{path} holds {file} and no safetensors file: {why}",
            "pickles",
            path=str(folder),
            file=pickles[0],
            why=WHY_NO_PICKLES,
        )
    return CheckpointNotFound(
        "{path} holds no model.safetensors or diffusion_pytorch_model.safetensors: fetch it again; it has {names}",
        "no-weights",
        path=str(folder),
        names=", ".join(names) or "nothing",
    )


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
