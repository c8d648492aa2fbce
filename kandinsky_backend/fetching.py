"""What has to be downloaded of a repository, and its download. Imports no MindSpore."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from kandinsky_backend import layout
from kandinsky_backend.hub import Repository


def fetch(hub: Repository, components: Collection[str] | None, variant: str | None = None) -> Path:
    """Download what is missing of a repository; its folder.

    Args:
        components: the folders that are needed; None: all that model_index.json names.
        variant: e.g. "fp16": that of the weights, where a component has it; the others keep their plain file.

    Raises:
        CheckpointError: there is no such repository, it lacks a component or has pickles only, the hub cannot be
            reached or refuses it, or the disk is too small.
    """
    needed = _needed(hub, components)
    folder = hub.download(_patterns(needed, variant))
    plain = _without_weights(folder, needed, variant)
    if variant and plain:
        folder = hub.download(layout.patterns(plain, layout.weight_files(None)))
        plain = _without_weights(folder, plain, None)
    if plain:
        raise layout.no_weights(f"{hub.repo_id}/{plain[0]}", hub.names(plain[0]))
    return folder


def missing_bytes(hub: Repository, components: Collection[str]) -> int:
    """Count what fetch would download now, the index excepted, which is downloaded at once. Errors as of fetch."""
    return hub.missing_bytes(_patterns(_needed(hub, components), None))


def _needed(hub: Repository, components: Collection[str] | None) -> list[str]:
    return layout.component_names(hub.download([layout.INDEX]), hub.repo_id, components)


def _patterns(needed: Collection[str], variant: str | None) -> list[str]:
    return [layout.INDEX, *layout.patterns(needed, [*layout.SMALL_FILES, *layout.weight_files(variant)])]


def _without_weights(folder: Path, components: Iterable[str], variant: str | None) -> list[str]:
    return [
        name
        for name in components
        if layout.has_model(folder / name) and not layout.find_weights(folder / name, variant)
    ]
