"""A weight: a slider, the number, and the share of all weights that it comes to."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gtk

from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.widgets import named, pass_on_the_wheel
from plugin_client.wire.limits import MAX_WEIGHT

SLIDER = (-1.0, 2.0, 0.01)  # lowest, highest, step; the number goes further


class WeightSlider(Gtk.Box):
    """`on_change` is called with the weight when it was moved or typed. The caption is only needed beside another."""

    def __init__(self, name: str, caption: str, weight: float, on_change: Callable[[float], None]) -> None:
        super().__init__(spacing=6)
        self._on_change = on_change
        self.caption = Gtk.Label(label=caption, xalign=0.0, width_chars=_caption_chars())
        self.caption.set_no_show_all(True)
        self._share = Gtk.Label(width_chars=6, xalign=1.0)
        self._slider = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, *SLIDER)
        self._slider.set_draw_value(False)
        self._slider.add_mark(0.0, Gtk.PositionType.BOTTOM, None)
        self._number = Gtk.SpinButton.new_with_range(-MAX_WEIGHT, MAX_WEIGHT, SLIDER[2])
        self._number.set_digits(2)
        self._number.set_width_chars(5)
        self._moved = self._slider.connect("value-changed", lambda slider: self._number.set_value(slider.get_value()))
        self.show_weight(weight)
        self._number.connect("value-changed", lambda number: self._changed(number.get_value()))
        self._slider.set_focus_on_click(True)
        for widget, grows in (
            (self.caption, False),
            (named(pass_on_the_wheel(self._slider), name), True),
            (named(pass_on_the_wheel(self._number), _("{name} as a number").format(name=name)), False),
            (self._share, False),
        ):
            self.pack_start(widget, grows, grows, 0)

    def grab_focus(self) -> None:
        self._number.grab_focus()

    def show_weight(self, weight: float) -> None:
        self._number.set_value(weight)
        self._show_on_the_slider(weight)

    def show_share(self, percent: float) -> None:
        self._share.set_text(_("{percent} %").format(percent=f"{percent:.0f}"))

    def _changed(self, weight: float) -> None:
        self._show_on_the_slider(weight)
        self._on_change(round(weight, 2))

    def _show_on_the_slider(self, weight: float) -> None:
        """Move the slider there, as far as it goes, and leave the number."""
        with self._slider.handler_block(self._moved):
            self._slider.set_value(weight)


def _caption_chars() -> int:
    """The width of a caption, so that the sliders below each other begin at the same place."""
    return max(map(len, (_("Start"), _("End"))))
