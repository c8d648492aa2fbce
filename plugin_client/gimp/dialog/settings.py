"""The settings of a blend as widgets, each bound to an argument of the procedure: Reset and Load change both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from gi.repository import Gimp, GObject, Gtk

from plugin_client.gimp.dialog.widgets import choice, labelled, named, spin
from plugin_client.gimp.placing import Area, made_size
from plugin_client.gimp.translation import _
from plugin_client.wire.limits import BOUNDS, MAX_SEED
from plugin_client.wire.messages import Blending

_BLENDINGS: dict[Blending, str] = {"linear": _("Linear"), "spherical": _("Spherical")}
_BOUND = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE


class Settings(Gtk.Box):
    """The settings in `config`. `area` is where the result goes; `models` is what the daemon offers."""

    def __init__(self, config: Gimp.ProcedureConfig, area: Area, models: Sequence[str]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._config = config
        self._area = area
        self._size = Gtk.Label(xalign=0.0)
        self.pack_start(self._main(), False, False, 0)
        self.pack_start(self._more(models), False, False, 0)
        for name in ("width", "height"):
            config.connect(f"notify::{name}", lambda *_: self._show_size())
        self._show_size()

    def _main(self) -> Gtk.Grid:
        grid = Gtk.Grid(row_spacing=6, column_spacing=12)
        labelled(grid, 0, _("_Keep away from"), self._text("negative", _("Keep away from")))
        labelled(grid, 1, _("_Steps"), self._number("steps", _("Steps"), 1))
        labelled(grid, 1, _("_Guidance"), self._number("guidance", _("Guidance"), 0.5, 1), column=2)
        labelled(grid, 2, _("S_eed"), self._seed())
        labelled(grid, 2, _("_Variations"), self._number("count", _("Variations"), 1), column=2)
        labelled(grid, 3, _("_Width"), self._side("width", _("Width, 0 follows the image or selection")))
        labelled(grid, 3, _("_Height"), self._side("height", _("Height, 0 follows the image or selection")), column=2)
        grid.attach(self._size, 1, 4, 3, 1)
        return grid

    def _more(self, models: Sequence[str]) -> Gtk.Expander:
        grid = Gtk.Grid(row_spacing=6, column_spacing=12)
        blendings = choice(_("Blending"), [(name, _BLENDINGS[name]) for name in get_args(Blending)], "linear")
        names = choice(_("Model"), [("", _("The daemon's first")), *((name, name) for name in models)], "")
        labelled(grid, 0, _("_Blending"), self._bound("blending", blendings, "active-id"))
        labelled(grid, 1, _("_Model"), self._bound("model", names, "active-id"))
        labelled(grid, 2, _("Prio_r steps"), self._number("prior-steps", _("Prior steps"), 1))
        labelled(grid, 3, _("Prior g_uidance"), self._number("prior-guidance", _("Prior guidance"), 0.5, 1))
        labelled(grid, 4, _("Words for the pa_inting"), self._text("decoder-prompt", _("Words for the painting")))
        divided = Gtk.CheckButton.new_with_mnemonic(_("_Divide the weights by their sum"))
        grid.attach(self._bound("normalise", divided, "active"), 0, 5, 2, 1)
        expander = Gtk.Expander.new_with_mnemonic(_("M_ore"))
        expander.add(grid)
        return expander

    def _bound(self, argument: str, widget: Gtk.Widget, property_: str) -> Gtk.Widget:
        self._config.bind_property(argument, widget, property_, _BOUND)
        return widget

    def _text(self, argument: str, name: str) -> Gtk.Widget:
        entry = Gtk.Entry(hexpand=True, activates_default=True)
        return self._bound(argument, named(entry, name), "text")

    def _number(self, argument: str, name: str, step: float, digits: int = 0) -> Gtk.Widget:
        bounds = BOUNDS[f"Blend.{argument.replace('-', '_')}"]
        return self._bound(argument, spin(name, *bounds, step, digits), "value")

    def _side(self, argument: str, name: str) -> Gtk.Widget:
        return self._bound(argument, spin(name, 0, BOUNDS[f"Blend.{argument}"][1], 64), "value")

    def _seed(self) -> Gtk.Box:
        """-1 draws a seed; the lock keeps the one of the last picture."""
        return self._bound("seed", spin(_("Seed, -1 draws one"), -1, MAX_SEED, 1), "value")

    def _show_size(self) -> None:
        given = [self._config.get_property(name) for name in ("width", "height")]
        width, height = made_size(self._area, *given)
        made, placed = f"{width} x {height}", f"{self._area.width} x {self._area.height}"
        self._size.set_text(_("Made at {made}, placed at {placed} pixels").format(made=made, placed=placed))
