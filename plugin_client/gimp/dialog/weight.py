"""A weight: a slider, and the share that it comes to."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gtk

from plugin_client.gimp.dialog.widgets import named
from plugin_client.gimp.translation import _

SLIDER = (-1.0, 2.0, 0.01)  # lowest, highest, step; a script may go further


class WeightSlider(Gtk.Box):
    """`changed` is called with the weight when it was moved. The caption is only needed beside another slider."""

    def __init__(self, name: str, caption: str, weight: float, changed: Callable[[float], None]) -> None:
        super().__init__(spacing=6)
        self.caption = Gtk.Label(label=caption, xalign=0.0, width_chars=5)
        self.caption.set_no_show_all(True)
        self._share = Gtk.Label(width_chars=6, xalign=1.0)
        self._slider = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, *SLIDER)
        self._slider.set_value(weight)
        self._slider.set_size_request(170, -1)
        self._slider.set_value_pos(Gtk.PositionType.RIGHT)
        self._slider.add_mark(0.0, Gtk.PositionType.BOTTOM, None)
        self._slider.connect("value-changed", lambda slider: changed(round(slider.get_value(), 2)))
        for widget in (self.caption, named(self._slider, name), self._share):
            self.pack_start(widget, False, False, 0)

    def show_weight(self, weight: float) -> None:
        self._slider.set_value(weight)

    def show_share(self, percent: float) -> None:
        self._share.set_text(_("{percent} %").format(percent=f"{percent:.0f}"))
