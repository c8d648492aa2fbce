"""The window with the models: which are there, which one draws, and buttons that fetch and remove them."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gdk, Gtk, Pango

from plugin_client.client import Client
from plugin_client.editor import library
from plugin_client.editor.background import Background
from plugin_client.editor.connection import connect_or_start
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.widgets import named, progress_bar, text_button
from plugin_client.gimp.main_loop import MainLoop
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.messages import LibraryList, StoredModel

PERIOD = 1.0  # s between looks
WIDTH = 520  # px

Question = Callable[[Client], LibraryList]


class ModelsWindow(Gtk.Window):
    """Shows the daemon's models, once a second. A daemon is started where none runs.

    Args:
        parent: the dialog.
        background: the connection.
        main_loop: has it look again.
        chosen: the name of the model that draws.
        on_choose: called with the name of another one.
        on_change: called when the models that can draw have become others.
    """

    def __init__(
        self,
        parent: Gtk.Window,
        background: Background,
        main_loop: MainLoop,
        chosen: str,
        on_choose: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(title=_("Kandinsky: Models"), transient_for=parent, modal=True, resizable=False)
        self.set_position(Gtk.WindowPosition.CENTER_ON_PARENT)
        self._background = background
        self._chosen = chosen
        self._on_choose = on_choose
        self._on_change = on_change
        self._drawable: frozenset[str] | None = None  # names of those that are here
        self._is_asking = False
        self._is_open = True
        self._rows: dict[str, ModelRow] = {}
        self._list = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12)
        self._place = _line()
        self._problem = _line()
        self._problem.set_no_show_all(True)
        self._place.set_text(_("Looking for the daemon, which is started where none runs ..."))
        close = text_button(_("_Close"), self.destroy)
        close.set_halign(Gtk.Align.END)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, margin=12, width_request=WIDTH)
        for widget in (self._list, self._place, self._problem, close):
            box.pack_start(widget, False, False, 0)
        self.add(box)
        end_looks = main_loop.repeat(PERIOD, self._look)
        self.connect("destroy", lambda _: self._leave(end_looks))
        self.connect("key-press-event", lambda _, event: self._press(event))
        self._look()
        self.show_all()

    def _leave(self, end_looks: Callable[[], None]) -> None:
        self._is_open = False
        end_looks()

    def _press(self, event: Gdk.EventKey) -> bool:
        """Close with Escape, as dialogs do."""
        if event.keyval == Gdk.KEY_Escape:
            self.destroy()
            return True
        return False

    def _look(self) -> None:
        if not self._is_asking:
            self._is_asking = True
            self._background.ask(lambda client: client.library(), self._looked, connect_or_start)

    def _looked(self, answer: LibraryList | KandinskyError) -> None:
        self._is_asking = False
        self._show(answer)

    def _ask(self, question: Question) -> None:
        """Have the daemon do something, and show what it says."""
        self._say("")
        self._background.ask(question, self._show, connect_or_start)

    def _show(self, answer: LibraryList | KandinskyError) -> None:
        if not self._is_open:
            return
        if isinstance(answer, KandinskyError):
            self._say(answer.render(_))
            return
        self._place.set_text(library.place_line(answer))
        for model in answer.models:
            self._row(model).show_model(model, is_chosen=model.name == self._chosen)
        drawable = frozenset(model.name for model in answer.models if model.state == "here")
        if drawable != self._drawable:
            if self._drawable is not None:
                self._on_change()
            if self._drawable and self._chosen in self._drawable - drawable:  # it was removed
                self._chosen = answer.models[0].name
                self._on_choose("")
            self._drawable = drawable

    def _row(self, model: StoredModel) -> ModelRow:
        if model.name not in self._rows:
            row = self._rows[model.name] = ModelRow(model, self._act)
            self._list.pack_start(row, False, False, 0)
            row.show_all()
        return self._rows[model.name]

    def _act(self, action: str, model: StoredModel) -> None:
        match action:
            case "use":
                self._chosen = model.name
                self._on_choose(model.name)
                self._look()
            case "fetch":
                self._ask(lambda client: client.fetch_model(model.name))
            case "stop":
                self._ask(lambda client: client.stop_fetch(model.name))
            case "remove":
                self._confirm_removal(model)

    def _confirm_removal(self, model: StoredModel) -> None:
        question = Gtk.MessageDialog(
            transient_for=self,
            modal=True,
            message_type=Gtk.MessageType.QUESTION,
            text=library.question(model),
            secondary_text=library.consequence(model),
        )
        question.add_button(_("_Keep It"), Gtk.ResponseType.CANCEL)
        question.add_button(_("_Remove the Model"), Gtk.ResponseType.OK)
        question.connect("response", lambda _, answer: self._answered(question, answer, model))
        question.show()

    def _answered(self, question: Gtk.MessageDialog, answer: int, model: StoredModel) -> None:
        question.destroy()
        if answer == Gtk.ResponseType.OK:
            self._ask(lambda client: client.remove_model(model.name))

    def _say(self, words: str) -> None:
        self._problem.set_text(words)
        self._problem.set_visible(bool(words))


class ModelRow(Gtk.Box):
    """A model: what it can do, how much of it is there, and what can be done with it."""

    def __init__(self, model: StoredModel, on_act: Callable[[str, StoredModel], None]) -> None:
        super().__init__(spacing=12)
        self._model = model
        name, self._state, self._fault = _line(), _line(), _line()
        name.set_text(model.name)
        bold = Pango.AttrList()
        bold.insert(Pango.attr_weight_new(Pango.Weight.BOLD))
        name.set_attributes(bold)
        about = _line()
        about.set_text(library.about(model))
        self._bar = progress_bar(_("Progress of {model}").format(model=model.name))
        self._bar.set_no_show_all(True)
        self._fault.set_no_show_all(True)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=3)
        for widget in (name, about, self._bar, self._state, self._fault):
            column.pack_start(widget, False, False, 0)
        self.pack_start(column, True, True, 0)
        words = {"use": _("_Draw with It"), "fetch": _("_Fetch"), "stop": _("_Stop"), "remove": _("_Remove...")}
        self._buttons = {action: self._button(action, label, on_act) for action, label in words.items()}

    def _button(self, action: str, label: str, on_act: Callable[[str, StoredModel], None]) -> Gtk.Button:
        button = text_button(label, lambda: on_act(action, self._model))
        named(button, f"{label.replace('_', '').rstrip('.')}: {self._model.name}")
        button.set_valign(Gtk.Align.CENTER)
        button.set_no_show_all(True)
        self.pack_start(button, False, False, 0)
        return button

    def show_model(self, model: StoredModel, *, is_chosen: bool) -> None:
        self._model = model
        is_here, is_fetching = model.state == "here", model.state == "fetching"
        self._state.set_text(library.state_line(model))
        self._fault.set_text(library.fault_line(model))
        self._fault.set_visible(bool(library.fault_line(model)))
        self._bar.set_visible(is_fetching)
        self._bar.set_fraction(min(1.0, model.done / model.total) if model.total else 0.0)
        self._buttons["use"].set_visible(is_here)
        self._buttons["use"].set_sensitive(not is_chosen)
        self._buttons["use"].set_label(_("Draws now") if is_chosen else _("_Draw with It"))
        self._buttons["fetch"].set_visible(model.state in ("absent", "partly"))
        self._buttons["stop"].set_visible(model.state in ("fetching", "waiting"))
        self._buttons["remove"].set_visible(model.removable)


def _line() -> Gtk.Label:
    return Gtk.Label(xalign=0.0, wrap=True, max_width_chars=50)
