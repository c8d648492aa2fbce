"""The settings of a blend as widgets, each bound to an argument of the procedure: Reset and Load change both."""

from __future__ import annotations

from typing import get_args

from gi.repository import Gimp, GObject, Gtk

from plugin_client.gimp.dialog.offer import Offer
from plugin_client.gimp.dialog.seed import SeedBox
from plugin_client.gimp.dialog.size import SizeBox
from plugin_client.gimp.dialog.widgets import choice, labelled, named, spin
from plugin_client.gimp.placing import side_of
from plugin_client.gimp.translation import _
from plugin_client.wire.limits import BOUNDS
from plugin_client.wire.messages import Blending

_BLENDINGS: dict[Blending, str] = {"linear": _("Linear"), "spherical": _("Spherical")}
_BOUND = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE


class Settings(Gtk.Box):
    """The settings in `config`, of a picture for `image` or a new one."""

    def __init__(self, config: Gimp.ProcedureConfig, image: Gimp.Image | None) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._config = config
        self.seed = SeedBox(config)
        self.size = SizeBox(config, image)
        self._variations = self._number("count", _("Variations"), 1)
        self._models = named(Gtk.ComboBoxText(), _("Model"))
        self._chosen = self._models.connect("changed", lambda _: self._keep_model())
        self._computing = Gtk.Label(xalign=0.0)
        self.pack_start(self._main(), False, False, 0)
        self.pack_start(self._more(), False, False, 0)
        self.offer = Offer()
        config.connect("notify::model", lambda *_: self._show_models())

    def show_offer(self, offer: Offer) -> None:
        """What the daemon offers, as far as is known."""
        self.offer = offer
        self._computing.set_text(offer.line)
        self._show_models()

    def allow_variations(self, are_allowed: bool) -> None:
        """A frame of a sweep is one picture."""
        self._variations.set_sensitive(are_allowed)

    def _main(self) -> Gtk.Grid:
        grid = Gtk.Grid(row_spacing=6, column_spacing=12)
        negative = self._text("negative", _("Keep away from"))
        labelled(grid, 0, _("_Keep away from"), negative, width=3)
        labelled(grid, 1, _("S_teps"), self._number("steps", _("Steps"), 1))
        labelled(grid, 1, _("G_uidance"), self._number("guidance", _("Guidance"), 0.5, 1), column=2)
        labelled(grid, 2, _("S_eed"), self.seed, focus=self.seed.field)
        labelled(grid, 2, _("_Variations"), self._variations, column=2)
        labelled(grid, 3, _("Si_ze"), self.size, focus=self.size.choice, width=3)
        grid.attach(self.size.line, 1, 4, 3, 1)
        return grid

    def _more(self) -> Gtk.Expander:
        grid = Gtk.Grid(row_spacing=6, column_spacing=12, margin_top=6)
        blendings = choice(_("Blending"), [(name, _BLENDINGS[name]) for name in get_args(Blending)], "linear")
        labelled(grid, 0, _("_Blending"), self._bound("blending", blendings, "active-id"))
        divided = Gtk.CheckButton.new_with_mnemonic(_("Divide the weights b_y their sum"))
        grid.attach(self._bound("normalise", divided, "active"), 2, 0, 2, 1)
        labelled(grid, 1, _("Prior steps"), self._number("prior-steps", _("Prior steps"), 1))
        labelled(grid, 1, _("Prior guidance"), self._number("prior-guidance", _("Prior guidance"), 0.5, 1), column=2)
        words = self._text("decoder-prompt", _("Words for the painting"))
        labelled(grid, 2, _("Words for the painting"), words, width=3)
        labelled(grid, 3, _("Mo_del"), self._models, width=3)
        grid.attach(self._computing, 1, 4, 3, 1)
        expander = Gtk.Expander.new_with_mnemonic(_("_More"))
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

    def _show_models(self) -> None:
        """Those that are offered, and the one in the argument, which a file may have brought."""
        chosen = self._config.get_property("model") or ""
        choices = self.offer.choices()
        if chosen not in dict(choices):
            choices.append((chosen, chosen))
        with self._models.handler_block(self._chosen):
            self._models.remove_all()
            for name, label in choices:
                self._models.append(name, label)
            self._models.set_active_id(chosen)
        self.size.suit(side_of(self.offer.models, chosen))

    def _keep_model(self) -> None:
        self._config.set_property("model", self._models.get_active_id() or "")
