"""The few kinds of widgets that the dialog is made of, each with a name that a screen reader tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gi.repository import Gtk


def named(widget: Gtk.Widget, name: str) -> Gtk.Widget:
    """The widget, with `name` for screen readers and as its hint."""
    widget.get_accessible().set_name(name)
    widget.set_tooltip_text(name)
    return widget


def icon_button(icon: str, name: str, clicked: Callable[[], None]) -> Gtk.Button:
    button = Gtk.Button.new_from_icon_name(icon, Gtk.IconSize.BUTTON)
    button.set_relief(Gtk.ReliefStyle.NONE)
    button.connect("clicked", lambda _: clicked())
    return named(button, name)


def text_button(label: str, clicked: Callable[[], None]) -> Gtk.Button:
    button = Gtk.Button.new_with_mnemonic(label)
    button.connect("clicked", lambda _: clicked())
    return button


def choice(name: str, choices: Sequence[tuple[str, str]], active: str) -> Gtk.ComboBoxText:
    """A list of (id, label)."""
    combo = Gtk.ComboBoxText()
    for identifier, label in choices:
        combo.append(identifier, label)
    combo.set_active_id(active)
    return named(combo, name)


def spin(name: str, low: float, high: float, step: float, digits: int = 0) -> Gtk.SpinButton:
    button = Gtk.SpinButton.new_with_range(low, high, step)
    button.set_digits(digits)
    return named(button, name)


def progress_bar(name: str) -> Gtk.ProgressBar:
    """A bar that can be seen from where one paints: GIMP's themes draw a thin one, grey on grey."""
    bar = Gtk.ProgressBar()
    look = Gtk.CssProvider()
    look.load_from_data(b"trough, progress { min-height: 8px; } progress { background: @theme_selected_bg_color; }")
    bar.get_style_context().add_provider(look, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)
    return named(bar, name)


def labelled(
    grid: Gtk.Grid,
    row: int,
    label: str,
    widget: Gtk.Widget,
    column: int = 0,
    width: int = 1,
    focus: Gtk.Widget | None = None,
) -> None:
    """Put `widget`, over `width` columns, behind its label. A mnemonic of that leads to `focus`, or to the widget."""
    caption = Gtk.Label.new_with_mnemonic(label)
    caption.set_xalign(0.0)
    caption.set_mnemonic_widget(focus or widget)
    grid.attach(caption, column, row, 1, 1)
    grid.attach(widget, column + 1, row, width, 1)
