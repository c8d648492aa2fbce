"""Small files and links of a model, read with care. Imports no numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kandinsky_backend.errors import CheckpointBroken

MAX_JSON_BYTES = 16 * 2**20  # of a config or an index; the largest that is published has 1 MB


def check_size(path: Path, limit: int) -> None:
    """Refuse a file that is larger than any of its kind, before it is read.

    Raises:
        CheckpointBroken: it has more than `limit` bytes.
    """
    if (size := path.stat().st_size) > limit:
        raise CheckpointBroken(
            "{path} has {size} bytes, and files of its kind at most {limit}: it is not what its name says",
            "too-large",
            path=str(path),
            size=size,
            limit=limit,
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        CheckpointBroken: it holds something else.
    """
    check_size(path, MAX_JSON_BYTES)
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as exc:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise CheckpointBroken(
            "{path} is not JSON, or was cut short: fetch it again ({reason})",
            "no-json",
            path=str(path),
            reason=str(exc),
        ) from exc
    except OSError as exc:
        raise unreadable(path, exc) from exc
    if not isinstance(value, dict):
        raise CheckpointBroken(
            "{path} holds a JSON {type} where an object is needed",
            "no-object",
            path=str(path),
            type=type(value).__name__,
        )
    return value


def unreadable(path: Path, exc: OSError) -> CheckpointBroken:
    return CheckpointBroken(
        "{path} cannot be read: {reason}", "unreadable", path=str(path), reason=exc.strerror or str(exc)
    )


def check_links(folder: Path, root: Path) -> None:
    """Check that what a folder of a model holds lies in the model's own folder `root`, also where it is a link.

    In a copy that huggingface_hub keeps, links lead to the blobs of the same repository, which belong to it.

    Raises:
        CheckpointBroken: a link leads out of it, or to what is not there, such as a disk that is not mounted.
    """
    own = (root.resolve(), _blobs_beside(root.resolve()))
    for path in (folder, *(folder.iterdir() if folder.is_dir() else ())):
        if not path.is_symlink() or path == root:
            continue
        if not path.exists():
            raise CheckpointBroken(
                "{path} is a link to {target}, which is not there: mount that place or fetch the model again",
                "dangling-link",
                path=str(path),
                target=str(path.readlink()),
            )
        if not any(path.resolve().is_relative_to(place) for place in own):
            raise CheckpointBroken(
                "{path} is a link to {target}, out of the model's folder: put the file itself in its place",
                "link-outside",
                path=str(path),
                target=str(path.readlink()),
            )


def _blobs_beside(root: Path) -> Path:
    """Where the files lie if `root` is a copy of huggingface_hub's: REPOSITORY/snapshots/REVISION; else `root`."""
    return root.parents[1] / "blobs" if root.parent.name == "snapshots" else root
