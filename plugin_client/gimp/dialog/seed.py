"""The seed: another one for each picture, unless the lock keeps it."""

from __future__ import annotations

import random

from gi.repository import Gimp, Gtk

from plugin_client.client import DRAWN_SEEDS
from plugin_client.editor.translation import _, unmarked
from plugin_client.gimp.dialog.widgets import hinted, spin
from plugin_client.wire.settings import SETTINGS

_SETTING = SETTINGS["seed"].setting
DRAWN = -1.0  # what the argument says where the lock is open


class SeedBox(Gtk.Box):
    """Bound to the argument "seed" of `config`. Open, it shows the seed of the last picture; a seed that is typed is
    locked."""

    def __init__(self, config: Gimp.ProcedureConfig) -> None:
        super().__init__(spacing=6)
        self._config = config
        self._is_known = False
        self._is_coming = False  # the seed that is shown was drawn for a picture that is yet to be made
        self.field = spin(unmarked(_(_SETTING.label)), *_SETTING.bounds, _SETTING.increment)
        self.field.set_placeholder_text(_("Random"))
        self.field.connect("output", self._show_nothing_yet)
        self._typed = self.field.connect("value-changed", lambda _: self._lock_at(self.field.get_value()))
        self._lock = hinted(Gtk.ToggleButton(), _("Keep this seed"))
        self._toggled = self._lock.connect("toggled", lambda lock: self._keep(lock.get_active()))
        for widget, grows in ((self.field, True), (self._lock, False)):
            self.pack_start(widget, grows, grows, 0)
        config.connect("notify::seed", lambda *_: self._show())
        self._show()

    def next(self) -> float:
        """The seed of the next picture, which is shown from now on."""
        seed = self.coming()
        self._is_coming = False
        return seed

    def coming(self) -> float:
        """The seed that `next` will give, which is shown from now on: a draft of that picture needs it before."""
        if self._config.get_property("seed") == DRAWN and not self._is_coming:
            self._draw()
            self._is_coming = True
        return float(self.field.get_value())

    def _draw(self) -> None:
        self._show_seed(float(random.SystemRandom().randrange(DRAWN_SEEDS)))

    def _keep(self, is_kept: bool) -> None:
        """Lock or unlock the seed that is shown; before the first picture one is drawn for it."""
        if is_kept and not self._is_known:
            self._draw()
        self._config.set_property("seed", self.field.get_value() if is_kept else DRAWN)

    def _lock_at(self, seed: float) -> None:
        self._is_known = True
        self._config.set_property("seed", seed)

    def _show(self) -> None:
        """Show the value of the argument."""
        seed = self._config.get_property("seed")
        is_kept = seed != DRAWN
        if is_kept:
            self._show_seed(seed)
        with self._lock.handler_block(self._toggled):
            self._lock.set_active(is_kept)
        icon = "changes-prevent-symbolic" if is_kept else "changes-allow-symbolic"
        self._lock.set_image(Gtk.Image.new_from_icon_name(icon, Gtk.IconSize.BUTTON))

    def _show_seed(self, seed: float) -> None:
        self._is_known = True
        with self.field.handler_block(self._typed):
            self.field.set_value(seed)
        self.field.update()

    def _show_nothing_yet(self, field: Gtk.SpinButton) -> bool:
        """Leave the field empty before the first seed was drawn; True keeps GTK from showing a number."""
        if self._is_known:
            return False
        field.set_text("")
        return True
