"""The models on this machine's disk: what is there, what fetches and what removes one. Imports no MindSpore.

Only what huggingface_hub's cache holds is ever removed: never a folder that somebody else made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kandinsky_backend import families, hub_cache, layout
from kandinsky_backend.errors import CheckpointError, CheckpointRefused
from kandinsky_backend.families import ModelSource

GLANCE_SECONDS = 0.5


@dataclass(frozen=True)
class Stored:
    """A model as it is on the disk.

    Attributes:
        source: its folder or hub id.
        is_here: whether all of it is there.
        disk: bytes that it takes.
        download: bytes of its whole download, about; 0 where that is not known or there is none.
        is_removable: whether the cache owns it, so that it may be removed and fetched again.
        side: of the squares that it draws best, in px.
        family: of its architecture.
        jobs: the kinds of job that it can do.
    """

    name: str
    source: str
    is_here: bool
    disk: int
    download: int
    is_removable: bool
    side: int
    family: str
    jobs: tuple[str, ...]


def fetched_names() -> tuple[str, ...]:
    """The names of the published models that are on the disk."""
    return tuple(name for name in families.published_names() if is_here(families.locate(name)))


def look(name: str) -> Stored:
    """Look for a model's files, which reads no weights and asks no hub. `name` is as of families.locate.

    Raises:
        CheckpointNotFound: as of families.locate.
    """
    source = families.locate(name)
    return Stored(
        name=name,
        source=source.origin,
        is_here=is_here(source),
        disk=_bytes_below(source),
        download=source.family.downloads.get(name, 0),
        is_removable=_is_download(source),
        side=source.side,
        family=source.family.name,
        jobs=source.family.jobs,
    )


def is_here(source: ModelSource) -> bool:
    """True if all files of a model are on the disk, as far as their names tell."""
    return all(_is_whole(repo_id, needed) for repo_id, needed in source.repositories.items())


def fetch(source: ModelSource) -> Iterator[tuple[int, int]]:
    """Download what is missing of a model, and yield twice a second how many bytes of how many have come.

    Closing it waits for the end.

    Raises:
        CheckpointError: it cannot be downloaded, or the disk is too small for all of it.
    """
    from kandinsky_backend.fetching import fetch as fetch_repository
    from kandinsky_backend.fetching import missing_bytes
    from kandinsky_backend.hub import Repository, check_room, current_transfer  # takes half a second to import

    repositories = {Repository(repo_id): needed for repo_id, needed in source.repositories.items()}
    missing = {hub: missing_bytes(hub, needed) for hub, needed in repositories.items()}
    total, before = sum(missing.values()), 0
    check_room(source.label, total, hub_cache.cache_folder())
    for hub, needed in repositories.items():
        with ThreadPoolExecutor(1) as thread:
            fetched = thread.submit(fetch_repository, hub, needed)
            while wait([fetched], GLANCE_SECONDS).not_done:
                if transfer := current_transfer():
                    yield before + transfer.done, total
            fetched.result()
        before += missing[hub]


def remove(source: ModelSource) -> int:
    """Delete a model from the cache, whole or not; the bytes that are free by that.

    Raises:
        CheckpointRefused: some of it is not the cache's, or cannot be deleted.
    """
    if not _is_download(source):
        raise CheckpointRefused(
            "{name} is not removed: its files are in {folder}, which was not made by a download",
            "not-ours",
            name=source.label,
            folder=source.origin,
        )
    freed = 0
    for repo_id in source.repositories:
        folder = hub_cache.repository_folder(repo_id)
        freed += hub_cache.bytes_in(folder / "blobs")
        _delete(folder)
        shutil.rmtree(hub_cache.lock_folder(repo_id), ignore_errors=True)
    return freed


def _is_download(source: ModelSource) -> bool:
    """Whether all files of a model are the cache's, if they are here."""
    return len(source.repositories) == len(source.parts)


def _delete(folder: Path) -> None:
    """Delete a repository of the cache. Raises: CheckpointRefused."""
    if folder.is_symlink():
        raise CheckpointRefused("{path} is a link, which is left alone: remove it yourself", "a-link", path=str(folder))
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as exc:
        raise CheckpointRefused(
            "{path} cannot be deleted: {reason}", "undeletable", path=str(exc.filename), reason=str(exc.strerror)
        ) from exc


def _bytes_below(source: ModelSource) -> int:
    repositories = [hub_cache.repository_folder(repo_id) / "blobs" for repo_id in source.repositories]
    folders = [Path(place).expanduser() for place in source.parts.values() if place not in source.repositories]
    count = sum(map(hub_cache.bytes_in, repositories))
    return count + sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def _is_whole(repo_id: str, needed: tuple[str, ...]) -> bool:
    folder = hub_cache.snapshot(repo_id)
    return folder is not None and (folder / layout.INDEX).is_file() and all(_has(folder / name) for name in needed)


def _has(component: Path) -> bool:
    """True if a component has its files. The cache has a name for a file when all of that has come."""
    with suppress(CheckpointError):
        if layout.has_model(component):
            return all(path.is_file() for path in _weight_files(component))
        return any((component / name).is_file() for name in layout.CONFIGS) or _has_tokenizer(component)
    return False


def _has_tokenizer(component: Path) -> bool:
    layout.has_clip_tokenizer(component)
    return True


def _weight_files(component: Path) -> list[Path]:
    """The files that hold a component's weights, there or not. Raises: CheckpointError."""
    path = layout.weights_path(component, None)
    if path.suffix != ".json":
        return [path]
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        return [component / name for name in set(json.loads(path.read_bytes())["weight_map"].values())]
    return [component / "no-such-shard"]
