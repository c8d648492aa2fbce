"""How much is drawn anew, and how many steps that means."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gimp, GObject, Gtk

from plugin_client.editor.translation import _, unmarked
from plugin_client.gimp.dialog.sampling import sampling_in
from plugin_client.gimp.dialog.widgets import hinted, pass_on_the_wheel
from plugin_client.wire.messages import ModelInfo
from plugin_client.wire.settings import SettingField, strength_steps

_BOUND = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE


class StrengthBox(Gtk.Box):
    """Bound to the argument "strength" of `config`, which `setting` describes."""

    def __init__(self, config: Gimp.ProcedureConfig, setting: SettingField) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=2)
        self._config = config
        label, words = unmarked(_(setting.setting.label)), _(setting.setting.help)
        room = Gtk.Adjustment(
            lower=setting.setting.bounds[0],
            upper=setting.setting.bounds[1],
            step_increment=setting.setting.increment,
            page_increment=0.1,
        )
        config.bind_property(setting.option, room, "value", _BOUND)
        scale = Gtk.Scale(adjustment=room, digits=2, value_pos=Gtk.PositionType.RIGHT, hexpand=True)
        hinted(pass_on_the_wheel(scale), label)
        scale.set_tooltip_text(f"{words[:1].upper()}{words[1:]}")
        row = Gtk.Box(spacing=12)
        row.pack_start(Gtk.Label(label=label, xalign=0.0), False, False, 0)
        row.pack_start(scale, True, True, 0)
        self._line = Gtk.Label(xalign=0.0)
        self._line.get_style_context().add_class("dim-label")
        for widget in (row, self._line):
            self.pack_start(widget, False, False, 0)
        self._offered: Sequence[ModelInfo] = ()
        for name in (setting.option, "steps", "sampler", "model"):
            config.connect(f"notify::{name}", lambda *_: self._show())
        self._show()

    def suit(self, offered: Sequence[ModelInfo]) -> None:
        """Count the steps of whichever of these models is chosen, as far as they are known."""
        self._offered = offered
        self._show()

    def _show(self) -> None:
        steps = sampling_in(self._config, self._offered).steps
        if not steps:
            self._line.set_text(_("The model knows how many steps that is"))
            return
        run = strength_steps(steps, self._config.get_property("strength"))
        if not run:
            self._line.set_text(_("No step runs: what is there comes back"))
            return
        self._line.set_text(_("{run} of {steps} steps run").format(run=run, steps=steps))
