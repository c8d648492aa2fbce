"""The settings of a blend as widgets, each bound to an argument of the procedure: Reset and Load change both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gi.repository import Gimp, GObject, Gtk

from plugin_client.editor.capabilities import DaemonCapabilities
from plugin_client.editor.geometry import side_of
from plugin_client.editor.library import limits_of
from plugin_client.editor.translation import _, unmarked
from plugin_client.gimp.dialog.sampling import StepsField
from plugin_client.gimp.dialog.seed import SeedBox
from plugin_client.gimp.dialog.size import SizeBox
from plugin_client.gimp.dialog.widgets import FieldRows, choice, named, pass_on_the_wheel, spin, text_button
from plugin_client.wire.settings import SETTINGS, SettingField

ASKED = [one for one in SETTINGS.values() if one.setting.asked != "never"]
_AUTO_CHARS = 8  # of the number of steps, where the model chooses it
_BOUND = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE


class Settings(Gtk.Box):
    """The settings in `config`, of a picture for `image` or a new one.

    Args:
        on_models: called to show all models.
        own: those beside the ones of every blend, of which the advanced ones are shown here.
    """

    def __init__(
        self,
        config: Gimp.ProcedureConfig,
        image: Gimp.Image | None,
        on_models: Callable[[], None],
        own: Sequence[SettingField] = (),
    ) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._config = config
        self.seed = SeedBox(config)
        self.size = SizeBox(config, image)
        self._fields: dict[str, Gtk.Widget] = {}  # by the names of their settings
        self._models = named(Gtk.ComboBoxText(), unmarked(_(SETTINGS["model"].setting.label)))
        pass_on_the_wheel(self._models)
        self._chosen = self._models.connect("changed", lambda _: self._keep_model())
        self._limits = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=30)
        self._all_models = text_button("", on_models)
        self._computing = Gtk.Label(xalign=0.0)
        self.pack_start(self._main(), False, False, 0)
        self.pack_start(self._more([*own, *ASKED]), False, False, 0)
        self.capabilities = DaemonCapabilities()
        config.connect("notify::model", lambda *_: self._show_models())

    def show_capabilities(self, capabilities: DaemonCapabilities) -> None:
        """Show the daemon's models and hardware, as far as they are known."""
        self.capabilities = capabilities
        self._computing.set_text(capabilities.line)
        self._show_models()

    def allow(self, name: str, is_allowed: bool) -> None:
        """Let the setting of this name be changed, or not."""
        self._fields[name].set_sensitive(is_allowed)

    def leave_size_to_the_model(self) -> None:
        """Show no size: what is drawn into has one."""
        grid = self.size.get_parent()
        row = grid.child_get_property(self.size, "top-attach")
        for _line in range(2):  # the size, and what comes of it
            grid.remove_row(row)

    def _main(self) -> Gtk.Grid:
        rows = FieldRows()
        for one in ASKED:
            if one.name == "width":
                rows.put_wide(_("Si_ze"), self.size, self.size.choice)
                rows.put_below(self.size.line)
            elif one.name != "height" and not one.setting.is_advanced:
                self._put(rows, one)
        rows.put_below(self._model_line())
        return rows.grid

    def _more(self, settings: Sequence[SettingField]) -> Gtk.Expander:
        rows = FieldRows()
        for one in settings:
            if one.setting.is_advanced:
                self._put(rows, one)
        rows.put_below(self._computing)
        expander = Gtk.Expander.new_with_mnemonic(_("_More"))
        rows.grid.set_margin_top(6)
        expander.add(rows.grid)
        return expander

    def _put(self, rows: FieldRows, one: SettingField) -> None:
        """Put the field of a setting with its label, unless it is one that holds its label itself."""
        label = _(one.setting.label)
        if one.name == "seed":
            rows.put(label, self.seed, self.seed.field, _hint(one))
        elif one.name == "model":
            rows.put_wide(label, self._models, self._models, _hint(one))
        elif one.type is bool:
            rows.put_alone(self._bound(one.option, Gtk.CheckButton.new_with_mnemonic(label), "active"))
        else:
            field = self._fields[one.name] = self._field(one, unmarked(label))
            put = rows.put_wide if one.type is str and not one.choices else rows.put
            put(label, field, field, _hint(one))

    def _model_line(self) -> Gtk.Box:
        """What the small model cannot do, and beside it the button that leads to the full one."""
        line = Gtk.Box(spacing=12)
        line.pack_start(self._limits, True, True, 0)
        line.pack_end(self._all_models, False, False, 0)
        return line

    def _field(self, one: SettingField, name: str) -> Gtk.Widget:
        """The widget of a number, a text or a choice, bound to its argument."""
        if one.choices:
            choices = [(value, _(one.setting.choices[value])) for value in one.choices]
            return self._bound(one.option, choice(name, choices, str(one.default)), "active-id")
        if one.type is str:
            return self._bound(
                one.option, named(Gtk.Entry(hexpand=True, activates_default=True, width_chars=10), name), "text"
            )
        digits = 1 if one.type is float else 0
        number = spin(name, *one.setting.bounds, one.setting.increment, digits)
        if one.name == "steps":
            number.set_width_chars(_AUTO_CHARS)
            self._steps = StepsField(number, self._config)
        return self._bound(one.option, number, "value")

    def _bound(self, argument: str, widget: Gtk.Widget, property_: str) -> Gtk.Widget:
        self._config.bind_property(argument, widget, property_, _BOUND)
        return widget

    def _show_models(self) -> None:
        """Show the models that the daemon offers, and the one in the argument, which a file may have brought."""
        chosen = self._config.get_property("model") or ""
        choices = self.capabilities.choices()
        if chosen not in dict(choices):
            choices.append((chosen, chosen))
        with self._models.handler_block(self._chosen):
            self._models.remove_all()
            for name, label in choices:
                self._models.append(name, label)
            self._models.set_active_id(chosen)
        self.size.suit(side_of(self.capabilities.models, chosen))
        self._steps.suit(self.capabilities.models)
        limits = limits_of(self.capabilities.drawing(chosen))
        self._limits.set_text(limits)
        self._all_models.set_label(_("Get the Full Model...") if limits else _("Models..."))

    def _keep_model(self) -> None:
        self._config.set_property("model", self._models.get_active_id() or "")


def _hint(one: SettingField) -> str:
    """What a setting does, as a sentence: its label says only what it is called."""
    words = _(one.setting.help)
    return f"{words[:1].upper()}{words[1:]}"
