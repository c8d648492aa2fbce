"""The few kinds of widgets that the dialog is made of, each with a name that a screen reader tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gi.repository import Gdk, GObject, Gtk

_COLUMNS = 4  # of FieldRows: a label and a field, twice
_NUMBER_CHARS = 6  # of a number's field: by itself it would be as wide as its range


def named(widget: Gtk.Widget, name: str) -> Gtk.Widget:
    """The widget, with `name` for screen readers."""
    widget.get_accessible().set_name(name)
    return widget


def hinted(widget: Gtk.Widget, name: str) -> Gtk.Widget:
    """A widget that shows no words, with `name` for screen readers and as its hint."""
    widget.set_tooltip_text(name)
    return named(widget, name)


def pass_on_the_wheel(widget: Gtk.Widget) -> Gtk.Widget:
    """The widget; the wheel scrolls what it lies in, and does not change its value in passing."""
    widget.connect("scroll-event", _pass_on)
    return widget


def _pass_on(widget: Gtk.Widget, event: Gdk.Event) -> bool:
    GObject.signal_stop_emission_by_name(widget, "scroll-event")
    return False


def icon_button(icon: str, name: str, on_click: Callable[[], None]) -> Gtk.Button:
    button = Gtk.Button.new_from_icon_name(icon, Gtk.IconSize.BUTTON)
    button.set_relief(Gtk.ReliefStyle.NONE)
    button.connect("clicked", lambda _: on_click())
    return hinted(button, name)


def text_button(label: str, on_click: Callable[[], None]) -> Gtk.Button:
    button = Gtk.Button.new_with_mnemonic(label)
    button.set_focus_on_click(False)
    button.connect("clicked", lambda _: on_click())
    return button


def choice(name: str, choices: Sequence[tuple[str, str]], active: str) -> Gtk.ComboBoxText:
    """A list of (id, label)."""
    combo = Gtk.ComboBoxText()
    for identifier, label in choices:
        combo.append(identifier, label)
    combo.set_active_id(active)
    return named(pass_on_the_wheel(combo), name)


def spin(name: str, low: float, high: float, step: float, digits: int = 0) -> Gtk.SpinButton:
    button = Gtk.SpinButton.new_with_range(low, high, step)
    button.set_digits(digits)
    button.set_width_chars(_NUMBER_CHARS)
    return named(pass_on_the_wheel(button), name)


def bring_into_sight(widget: Gtk.Widget) -> None:
    """Scroll what the widget lies in, if it does, so that all of it is seen."""
    scroller = widget.get_ancestor(Gtk.ScrolledWindow)
    if scroller is not None:
        _x, y = widget.translate_coordinates(scroller.get_child().get_child(), 0, 0)
        scroller.get_vadjustment().clamp_page(y, y + widget.get_allocated_height())


def take_away(window: Gtk.Window) -> None:
    """Destroy a window, so that it goes from the screen even if the main loop does not run any more."""
    window.destroy()
    Gdk.Display.get_default().flush()


def progress_bar(name: str) -> Gtk.ProgressBar:
    """A bar that can be seen from where one paints: GIMP's themes draw a thin one, grey on grey."""
    bar = Gtk.ProgressBar()
    look = Gtk.CssProvider()
    look.load_from_data(b"trough, progress { min-height: 8px; } progress { background: @theme_selected_bg_color; }")
    bar.get_style_context().add_provider(look, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)
    return named(bar, name)


class FieldRows:
    """Fields behind their labels, two in a row of `grid`, a wide one in a row of its own."""

    def __init__(self) -> None:
        self.grid = Gtk.Grid(row_spacing=6, column_spacing=12)
        self._row, self._column = -1, _COLUMNS

    def put(self, label: str, field: Gtk.Widget, focus: Gtk.Widget, hint: str = "") -> None:
        """Put a field behind its label, whose mnemonic leads to `focus`, and which tells `hint`."""
        self._put(label, field, focus, hint, _COLUMNS // 2)

    def put_wide(self, label: str, field: Gtk.Widget, focus: Gtk.Widget, hint: str = "") -> None:
        """Put a field so that it fills a row."""
        self._put(label, field, focus, hint, _COLUMNS)

    def _put(self, label: str, field: Gtk.Widget, focus: Gtk.Widget, hint: str, columns: int) -> None:
        caption = Gtk.Label.new_with_mnemonic(label)
        caption.set_tooltip_text(hint or None)
        caption.set_xalign(0.0)
        caption.set_mnemonic_widget(focus)
        self._advance(columns)
        self.grid.attach(caption, self._column, self._row, 1, 1)
        self.grid.attach(field, self._column + 1, self._row, columns - 1, 1)
        self._column += columns

    def put_alone(self, widget: Gtk.Widget) -> None:
        """Put a widget that shows its label itself."""
        self._advance(_COLUMNS // 2)
        self.grid.attach(widget, self._column, self._row, _COLUMNS // 2, 1)
        self._column += _COLUMNS // 2

    def put_below(self, line: Gtk.Widget) -> None:
        """Put a line that goes on below the field in the row before."""
        self._advance(_COLUMNS)
        self.grid.attach(line, 1, self._row, _COLUMNS - 1, 1)
        self._column = _COLUMNS

    def _advance(self, columns: int) -> None:
        """Begin a new row where so many columns have no room."""
        if self._column + columns > _COLUMNS:
            self._row, self._column = self._row + 1, 0
