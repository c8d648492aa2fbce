"""The daemon's library of models, as scripts, the command line and editors follow it.

with Client() as client:
    client.fetch_model("kandinsky-2-1")
    for progress in model_library.follow(client, "kandinsky-2-1"):
        print(progress.step, progress.steps)
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from plugin_client.client import Client
from plugin_client.wire.errors import LibraryError, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import LibraryList, Progress, StoredModel

LOOK_SECONDS = 0.5
BUSY = ("waiting", "fetching", "removing")  # states that pass by themselves


def model_of(library: LibraryList, name: str) -> StoredModel:
    """Return the model of a name.

    Raises:
        UsageError: there is none.
    """
    for model in library.models:
        if model.name == name:
            return model
    raise UsageError(
        N_("there is no model {name!r}: choose one of {choices}"),
        "unknown-model",
        name=name,
        choices=", ".join(model.name for model in library.models),
    )


def follow(client: Client, name: str) -> Iterator[Progress]:
    """Wait until a model is fetched or removed, and yield how far it is, in bytes.

    Raises:
        LibraryError: it has failed, or was stopped; `code` says how.
        UsageError: there is no model of that name.
    """
    model = model_of(client.library(), name)
    while model.state in BUSY:
        yield progress_of(model)
        time.sleep(LOOK_SECONDS)
        model = model_of(client.library(), name)
    if model.fault:
        raise LibraryError(model.fault, model.message)


def progress_of(model: StoredModel) -> Progress:
    """Return how far the download of a model is, as jobs tell it."""
    stage = "downloading" if model.state == "fetching" else "queued"
    return Progress("", stage, model.done, model.total, 0, model.elapsed, model.remaining)  # type: ignore[arg-type]
