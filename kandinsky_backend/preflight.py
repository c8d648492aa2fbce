"""A cheap look at a model before somebody is told that it can be used. Imports no MindSpore, downloads no weights."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from kandinsky_backend import families, layout
from kandinsky_backend.errors import CheckpointBroken
from kandinsky_backend.model_files import read_json
from kandinsky_backend.weight_files import WeightFiles

_TOKENIZER = "tokenizer"  # the component of that name; the others have a config
_TAIL_BYTES = 64


def check_model(name: str) -> None:
    """Look at a model's files as far as configs and the headers of weights tell, which takes milliseconds.

    Of a model of the hub there is nothing to look at before it is first used, unless huggingface_hub is offline.

    Args:
        name: see families.locate.

    Raises:
        CheckpointError: there is no such model; a file of it is missing, cut short or broken, or is a link that leads
            nowhere; or it is one of the hub, of which there is no copy here, and huggingface_hub is told to stay
            offline.
    """
    source = families.locate(name)
    for part, place in source.parts.items():
        folder = Path(place) if Path(place).is_dir() else _copy_of(place)
        if folder:
            _check_part(folder, place, source.family.components[part])


def _copy_of(hub_id: str) -> Path | None:
    """The copy of a repository that has to do, since the hub is not asked; None where it is."""
    from kandinsky_backend.hub import Repository, is_offline  # takes half a second to import

    return Repository(hub_id).download([layout.INDEX]) if is_offline() else None


def _check_part(folder: Path, source: str, needed: Collection[str]) -> None:
    for name in layout.component_names(folder, source, needed):
        component = layout.component_folder(folder, source, name)
        if name == _TOKENIZER:
            _check_tokenizer(component)
            continue
        layout.read_config(component)
        if layout.has_model(component):
            WeightFiles.open(layout.weights_path(component, None))


def _check_tokenizer(component: Path) -> None:
    if not layout.has_clip_tokenizer(component):
        _refuse_cut_short(component / "tokenizer.json")  # 17 MB, which take too long to parse
    for path in (component / "vocab.json", component / "tokenizer_config.json"):
        if path.is_file():
            read_json(path)


def _refuse_cut_short(path: Path) -> None:
    """Refuse a file of a JSON object that has no end."""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, _TAIL_BYTES), os.SEEK_END)
        if not file.read().rstrip().endswith(b"}"):
            raise CheckpointBroken("{path} was cut short: fetch it again", "cut-short", path=str(path))
