"""The command `models`: what is on the daemon's disk, and fetching and removing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from plugin_client import launch, model_library
from plugin_client.cli.terminal import NoProgress, ProgressLine, table, tell
from plugin_client.client import Client
from plugin_client.formatting import size
from plugin_client.model_library import model_of
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import LibraryList, ModelInfo, StoredModel


def models(arguments: argparse.Namespace) -> None:
    """List the models, or fetch, stop or remove one."""
    _ACTIONS[getattr(arguments, "action", None)](arguments)


def _list(arguments: argparse.Namespace) -> None:
    with Client(arguments.endpoint) as client:
        offered, library = client.models(), client.library()
    known = {model.name: model for model in offered}
    rows = [_row(model, known.get(model.name)) for model in library.models]
    tell(table(("MODEL", "ON DISK", "LOADED", "HASH", "NOTE"), rows))


def _row(stored: StoredModel, offered: ModelInfo | None) -> tuple[str, ...]:
    """Return the line of a model in the table."""
    disk = size(stored.disk) if stored.disk else "-"
    if offered is None:
        return stored.name, disk, "-", "-", _lack(stored)
    note = offered.note or ("" if stored.state == "here" else _lack(stored))
    return stored.name, disk, "yes" if offered.loaded else "no", offered.hash[:12] or "-", note


def _lack(stored: StoredModel) -> str:
    """Return what there is to know of a model that is not here as a whole."""
    if stored.state == "fetching":
        return f"is being fetched: {size(stored.done)} of {size(stored.total)}"
    if stored.state in model_library.BUSY:
        return f"is {stored.state}"
    if stored.fault and stored.fault != "stopped":
        return stored.message
    if stored.state == "partly":
        return f"not all of it is here: kandinsky-blend models fetch {stored.name}"
    amount = f" {size(stored.download)}" if stored.download else ""
    return f"not here: kandinsky-blend models fetch {stored.name} downloads{amount}"


def _fetch(arguments: argparse.Namespace) -> None:
    """Fetch a model. Ctrl-C stops that; a terminal that is closed does not."""
    with launch.connect_or_start(arguments.endpoint, []) as client:
        library = client.fetch_model(arguments.model)
        if model_of(library, arguments.model).state == "here":
            tell(f"{arguments.model} is here already")
            return
        try:
            _follow(client, arguments)
        except KeyboardInterrupt:
            client.stop_fetch(arguments.model)
            print("kandinsky-blend: stopped; what has come stays: fetch goes on with it", file=sys.stderr)
            raise
        fetched = model_of(client.library(), arguments.model)
    tell(f"{fetched.name} is here: {size(fetched.disk)} in {library.folder}")


def _stop(arguments: argparse.Namespace) -> None:
    with Client(arguments.endpoint) as client:
        client.stop_fetch(arguments.model)
    tell(f"{arguments.model} is not being fetched; what has come stays")


def _remove(arguments: argparse.Namespace) -> None:
    with Client(arguments.endpoint) as client:
        library = client.library()
        model = model_of(library, arguments.model)
        if model.removable and not arguments.yes:
            _confirm(model, library)
        client.remove_model(arguments.model)
        _follow(client, arguments)
    tell(f"{model.name} is removed: {size(model.disk)} are free again")


def _confirm(model: StoredModel, library: LibraryList) -> None:
    """Ask whether a model is to be deleted. Raises: UsageError: nobody can answer, or the answer is no."""
    if not sys.stdin.isatty():
        raise UsageError(f"removing {model.name} deletes {size(model.disk)}: give --yes where nobody can be asked")
    answer = input(f"Delete {model.name}, {size(model.disk)} in {library.folder}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise UsageError(f"{model.name} was not removed")


def _follow(client: Client, arguments: argparse.Namespace) -> None:
    """Show the progress of a model until it is fetched or removed. Errors as of model_library.follow."""
    line = NoProgress() if arguments.quiet else ProgressLine()
    try:
        for progress in model_library.follow(client, arguments.model):
            line.show(progress)
    finally:
        line.clear()


_ACTIONS: dict[str | None, Callable[[argparse.Namespace], None]] = {
    None: _list,
    "fetch": _fetch,
    "stop": _stop,
    "remove": _remove,
}
