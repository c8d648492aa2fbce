"""A procedure's dialog as a panel at the edge of the screen: it scrolls but for what must stay in sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gi.repository import Gdk, GimpUi, Gtk

from plugin_client.editor.geometry import Area
from plugin_client.editor.panel_place import remember_place, remembered_place
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.help import show_help
from plugin_client.gimp.dialog.widgets import take_away, text_button

_RETURNS = (Gdk.KEY_Return, Gdk.KEY_KP_Enter)


class Panel:
    """Puts a dialog together and keeps its place.

    Args:
        dialog: without contents of ours.
        above: stays above what scrolls.
        scrolled: scrolls.
        below: stays above the buttons.
    """

    def __init__(
        self,
        dialog: GimpUi.ProcedureDialog,
        above: Sequence[Gtk.Widget],
        scrolled: Sequence[Gtk.Widget],
        below: Sequence[Gtk.Widget],
    ) -> None:
        self._dialog = dialog
        self._area = dialog.get_content_area()
        self._area.set_spacing(6)
        self._area.set_border_width(6)
        generate = dialog.get_widget_for_response(Gtk.ResponseType.OK)
        # GIMP's buttons that save and load
        own = [child for child in self._area.get_children() if not generate.is_ancestor(child)]
        for widget in above:
            self._area.pack_start(widget, False, False, 0)
        self._area.pack_start(self._scroller([*scrolled, *own]), True, True, 0)
        for widget in below:
            self._area.pack_start(widget, False, False, 0)
        self._mend_the_buttons()
        self._dialog.connect("key-press-event", lambda _, event: self._press(event))
        self._put(remembered_place(_screen()))

    def on_height(self, call: Callable[[int], None]) -> None:
        """Have `call` called with the height of the dialog, now and when it changes."""
        self._dialog.connect("size-allocate", lambda _, room: call(room.height))

    def run(self) -> bool:
        """Let the artist work until a button is pressed: True for the one that generates."""
        return bool(self._dialog.run())

    def close(self) -> None:
        """Take the dialog from the screen, and remember where it was."""
        remember_place(Area(*self._dialog.get_position(), *self._dialog.get_size()))
        take_away(self._dialog)

    def _scroller(self, widgets: Sequence[Gtk.Widget]) -> Gtk.ScrolledWindow:
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, margin=6)
        for widget in widgets:
            if parent := widget.get_parent():
                parent.remove(widget)
            column.pack_start(widget, False, False, 0)
        scroller = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER)
        scroller.add(column)
        column.set_focus_vadjustment(scroller.get_vadjustment())  # where one types is in sight
        return scroller

    def _mend_the_buttons(self) -> None:
        """Name Close what closes, help ourselves, and leave the focus where it is when Generate is clicked."""
        close = self._dialog.get_widget_for_response(Gtk.ResponseType.CANCEL)
        close.set_label(_("_Close"))
        generate = self._dialog.get_widget_for_response(Gtk.ResponseType.OK)
        generate.set_focus_on_click(False)
        buttons = generate.get_parent()
        for button in buttons.get_children():
            if buttons.get_child_secondary(button):  # GIMP's Help, which says that its manual has no such page
                button.destroy()
        ours = text_button(_("_Help"), lambda: show_help(self._dialog))
        buttons.pack_start(ours, False, False, 0)
        buttons.set_child_secondary(ours, True)

    def _press(self, event: Gdk.EventKey) -> bool:
        """Ctrl+Return generates from everywhere, F1 helps."""
        if event.keyval == Gdk.KEY_F1:
            show_help(self._dialog)
            return True
        if event.keyval in _RETURNS and event.state & Gdk.ModifierType.CONTROL_MASK:
            self._dialog.response(Gtk.ResponseType.OK)
            return True
        return False

    def _put(self, place: Area) -> None:
        self._dialog.set_default_size(place.width, place.height)
        self._dialog.set_position(Gtk.WindowPosition.NONE)
        self._dialog.move(place.x, place.y)


def _screen() -> Area:
    """The part of the screen with the pointer that no bars of the desktop cover."""
    display = Gdk.Display.get_default()
    _screen, x, y = display.get_default_seat().get_pointer().get_position()
    room = display.get_monitor_at_point(x, y).get_workarea()
    return Area(room.x, room.y, room.width, room.height)
