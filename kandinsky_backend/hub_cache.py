"""Where huggingface_hub keeps what it has downloaded. Imports next to nothing of it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from huggingface_hub import constants

_MAIN = ("refs", "main")  # the file that names the commit of the main branch


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """The folder of all repositories; None: huggingface_hub's own setting (HF_HOME, HF_HUB_CACHE)."""
    return Path(cache_dir or constants.HF_HUB_CACHE).expanduser()


def repository_folder(repo_id: str, cache_dir: str | Path | None = None) -> Path:
    """The folder of a model's repository, which need not be there."""
    return cache_folder(cache_dir) / f"models--{repo_id.replace('/', '--')}"


def lock_folder(repo_id: str) -> Path:
    """The folder of the locks of a repository's files, which need not be there."""
    repository = repository_folder(repo_id)
    return repository.parent / ".locks" / repository.name


def snapshot(repo_id: str) -> Path | None:
    """The files of the main branch as they were downloaded last, whole or not; None where there are none."""
    folder = repository_folder(repo_id)
    with suppress(OSError):
        files = folder / "snapshots" / folder.joinpath(*_MAIN).read_text().strip()
        return files if files.is_dir() else None
    return None


def bytes_in(folder: Path) -> int:
    """Bytes of the files in a folder; 0 where it is not there. One that goes away meanwhile is not counted."""
    count = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            count += path.stat().st_size
    return count


def free_bytes(folder: Path) -> int:
    """Bytes that are free where the folder is, or will be made."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
