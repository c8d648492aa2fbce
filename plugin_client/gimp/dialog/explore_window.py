"""The window with a sheet of drafts, of which a click takes one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gi.repository import Gdk, GdkPixbuf, Gtk

from plugin_client.editor.background import Background
from plugin_client.editor.blend_pad import mark_of
from plugin_client.editor.drafts import DraftEnd
from plugin_client.editor.exploration import Exploration
from plugin_client.editor.geometry import Area
from plugin_client.editor.requests import GenerateRequest
from plugin_client.editor.translation import _
from plugin_client.editor.weights import shares_in_words
from plugin_client.gimp.dialog.thumbnails import pixbuf
from plugin_client.gimp.dialog.widgets import hinted
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.messages import Blend, Picture

SIDE = 104  # px of a cell


class ExploreWindow(Gtk.Window):
    """Draws the cells one after the other, until they are there, one is taken, or it is closed.

    Args:
        parent: the dialog.
        background: the connection.
        rows: the cells of a sheet, as of explore.sheet_of.
        area: whose shape they get.
        on_take: called with the cell that was clicked.
    """

    def __init__(
        self,
        parent: Gtk.Window,
        background: Background,
        rows: Sequence[Sequence[Blend]],
        area: Area,
        on_take: Callable[[Blend], None],
    ) -> None:
        super().__init__(title=_("Kandinsky: Explore"), transient_for=parent, modal=True, resizable=False)
        self._on_take = on_take
        self._cells = [(row, column, cell) for row, line in enumerate(rows, 1) for column, cell in enumerate(line, 1)]
        self._drawn = 0
        self._grid = Gtk.Grid(row_spacing=2, column_spacing=2)
        self._line = Gtk.Label(xalign=0.0)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin=6)
        for widget in (self._grid, self._line):
            box.pack_start(widget, False, False, 0)
        self.add(box)
        self._buttons = [self._button(*cell) for cell in self._cells]
        requests = [GenerateRequest((cell,), area) for _, _, cell in self._cells]
        self._tell_number()
        self._exploration = Exploration(background, requests, self._show, self._fail)
        self.connect("destroy", lambda _: self._exploration.end())
        self.connect("key-press-event", lambda _, event: self._press(event))
        self.show_all()

    def _press(self, event: Gdk.EventKey) -> bool:
        """Close with Escape, as dialogs do."""
        if event.keyval == Gdk.KEY_Escape:
            self.destroy()
            return True
        return False

    def _button(self, row: int, column: int, cell: Blend) -> Gtk.Button:
        button = Gtk.Button(sensitive=False, relief=Gtk.ReliefStyle.NONE)
        button.set_size_request(SIDE, SIDE)
        mark = mark_of(cell)
        name = _("Row {row}, column {column}: {shares}, seed {seed}").format(
            row=row, column=column, shares=shares_in_words(mark.names, mark.weights), seed=mark.seed
        )
        button.connect("clicked", partial(self._take, cell))
        self._grid.attach(hinted(button, name), column, row, 1, 1)
        return button

    def _take(self, cell: Blend, _button: Gtk.Button) -> None:
        self.destroy()
        self._on_take(cell)

    def _show(self, picture: Picture) -> None:
        scale = SIDE / max(picture.width, picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        button = self._buttons[self._drawn]
        small = pixbuf(picture).scale_simple(*size, GdkPixbuf.InterpType.BILINEAR)
        button.set_image(Gtk.Image.new_from_pixbuf(small))
        button.set_always_show_image(True)
        button.set_sensitive(True)
        self._drawn += 1
        self._tell_number()

    def _tell_number(self) -> None:
        if self._drawn < len(self._cells):
            self._line.set_text(_("Draft {number} of {count}").format(number=self._drawn + 1, count=len(self._cells)))
        else:
            self._line.set_text(_("A click takes the weights and the seed of a draft."))

    def _fail(self, end: DraftEnd) -> None:
        if isinstance(end, KandinskyError):
            self._line.set_text(end.render(_))
