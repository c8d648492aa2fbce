"""What the menu entries of services.py show."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gi.repository import Gimp, GimpUi

from plugin_client.gimp.arguments import Value
from plugin_client.gimp.dialog.status import StatusWindow
from plugin_client.gimp.services import RECOVER, STATUS, recover
from plugin_client.gimp.translation import _


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
