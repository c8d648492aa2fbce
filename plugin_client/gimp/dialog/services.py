"""Shows the results of the procedures in services.py to a person who opened their menu entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gi.repository import Gimp, GimpUi

from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.status import StatusWindow
from plugin_client.gimp.services import RECOVER, STATUS, recover
from plugin_client.wire.settings import Value


def _show_status(values: Mapping[str, Value]) -> None:
    GimpUi.init(STATUS)
    StatusWindow().run()


def _show_recovered(values: Mapping[str, Value]) -> None:
    layers, gone = recover(values, Gimp.Display.new)
    Gimp.displays_flush()
    if gone:
        Gimp.message(_("The daemon no longer has: {titles}").format(titles="; ".join(gone)))
    elif layers == "[]":
        Gimp.message(_("Nothing is lost: no picture of an earlier session waits."))


SHOWN: dict[str, Callable[[Mapping[str, Value]], None]] = {STATUS: _show_status, RECOVER: _show_recovered}
