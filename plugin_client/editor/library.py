"""The daemon's library of models in an artist's words."""

from __future__ import annotations

from plugin_client.editor.titles import progress_line
from plugin_client.editor.translation import _
from plugin_client.formatting import size
from plugin_client.model_library import progress_of
from plugin_client.wire.messages import DEFAULT_MODEL, LibraryList, StoredModel

FULL_MODEL = "kandinsky-2-1"

_ABOUT = {
    DEFAULT_MODEL: _("Small and quick: draws nothing but coloured shapes, at 128 x 128 px"),
    FULL_MODEL: _("The full model: draws what you like, best at 768 x 768 px"),
}


def about(model: StoredModel) -> str:
    """A line about what a model can do; of one that is not known here, where its files are from."""
    return _ABOUT.get(model.name, model.source)


def limits_of(name: str) -> str:
    """A line about what the small model cannot do, for where it draws; "" of any other one."""
    return _("This small model draws nothing but coloured shapes.") if name == DEFAULT_MODEL else ""


def state_line(model: StoredModel) -> str:
    """A line about what of a model is on the disk, or how far its download is."""
    match model.state:
        case "here":
            return _("On the disk: {size}").format(size=size(model.disk))
        case "partly":
            return _("{size} of it are on the disk; the rest is to be fetched").format(size=size(model.disk))
        case "waiting":
            return _("Waits until another model is fetched or removed")
        case "removing":
            return _("Is being removed ...")
        case "fetching":
            return progress_line(progress_of(model)) if model.total else _("Asking the hub for its files ...")
    if not model.download:
        return _("Not on the disk")
    return _("Not on the disk: a download of about {size}").format(size=size(model.download))


def fault_line(model: StoredModel) -> str:
    """What went wrong at the last attempt to fetch or remove a model; "" if nothing did."""
    return "" if model.fault in (None, "stopped") else model.message


def place_line(library: LibraryList) -> str:
    """A line about where downloads go, and the room there."""
    return _("Downloads go to {folder}, where {size} are free.").format(folder=library.folder, size=size(library.free))


def question(model: StoredModel) -> str:
    """What is asked before a model is removed."""
    return _("Remove {model}?").format(model=model.name)


def consequence(model: StoredModel) -> str:
    """What its removal does."""
    return _("This frees {size} on the disk. To draw with it again, it has to be fetched again.").format(
        size=size(model.disk)
    )
