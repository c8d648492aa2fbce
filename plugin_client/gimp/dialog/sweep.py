"""A sweep: whether the weights move to others, in how many frames, and where these go."""

from __future__ import annotations

from gi.repository import Gimp, GObject, Gtk

from plugin_client.editor.translation import _
from plugin_client.gimp.arguments import FRAMES, FRAMES_AS, SWEEP
from plugin_client.gimp.dialog.widgets import FieldRows, choice, spin
from plugin_client.sweep import MAX_FRAMES, MIN_FRAMES

_BOUND = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE


class SweepBox(Gtk.Box):
    """Bound to the arguments of a sweep in `config`. Without an image the frames can only come as a new one."""

    def __init__(self, config: Gimp.ProcedureConfig, has_image: bool) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        switch = Gtk.CheckButton.new_with_mnemonic(_("Sweep to other weights at the e_nd"))
        config.bind_property(SWEEP.name, switch, "active", _BOUND)
        frames = spin(_("Frames"), MIN_FRAMES, MAX_FRAMES, 1)
        config.bind_property(FRAMES.name, frames, "value", _BOUND)
        rows = FieldRows()
        rows.put(_("_Frames"), frames, frames)
        if has_image:
            destination = choice(_("Frames come as"), _destinations(), "group")
            config.bind_property(FRAMES_AS.name, destination, "active-id", _BOUND)
            rows.put_alone(destination)
        switch.bind_property("active", rows.grid, "sensitive", GObject.BindingFlags.SYNC_CREATE)
        for widget in (switch, rows.grid):
            self.pack_start(widget, False, False, 0)


def _destinations() -> list[tuple[str, str]]:
    return [("group", _("as a layer group")), ("new-image", _("as a new image, to export as an animation"))]
