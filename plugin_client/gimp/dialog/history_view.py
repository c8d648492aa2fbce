"""The newest results as thumbnails: each can be seen, compared with the last, inserted as a layer, and discarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gi.repository import GdkPixbuf, Gtk

from plugin_client import history
from plugin_client.editor.background import Background
from plugin_client.editor.switches import INSERTING, is_on, remember
from plugin_client.editor.titles import sweep_title, variation_title
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.progress import Preview
from plugin_client.gimp.dialog.thumbnails import pixbuf
from plugin_client.gimp.dialog.widgets import hinted, named, text_button
from plugin_client.history import KeptResult
from plugin_client.job import BlendResult
from plugin_client.wire.errors import KandinskyError

SIDE = 56  # px of a thumbnail
MOST_HELD = 2**29  # bytes of the pixels of all results but the oldest, in memory


class HistoryView(Gtk.Expander):
    """The results, the newest first.

    Args:
        background: reads and writes them.
        preview: shows the one that was clicked.
        on_insert: called with the one that is to become a layer.
    """

    def __init__(self, background: Background, preview: Preview, on_insert: Callable[[KeptResult], None]) -> None:
        super().__init__(label=_("Results"))
        self._background = background
        self._preview = preview
        self._results: list[KeptResult] = []  # the newest first
        self._chosen: KeptResult | None = None
        self._row = Gtk.Box(spacing=2)
        scroller = Gtk.ScrolledWindow(vscrollbar_policy=Gtk.PolicyType.NEVER)
        scroller.add(self._row)
        self._compare = Gtk.ToggleButton(label=_("Compare with the last"))
        self._compare.connect("toggled", lambda _: self._show_chosen())
        self._insert = text_button(_("Insert"), lambda: on_insert(self._chosen) if self._chosen else None)
        self._discard = named(text_button(_("Discard"), self._discard_chosen), _("Discard the result"))
        self._by_itself = Gtk.CheckButton(label=_("Insert results by themselves"), active=is_on(INSERTING))
        self._by_itself.connect("toggled", lambda switch: remember(INSERTING, switch.get_active()))
        buttons = Gtk.Box(spacing=6)
        for button in (self._insert, self._compare, self._discard):
            buttons.pack_start(button, False, False, 0)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin_top=6)
        for widget in (self._by_itself, scroller, buttons):
            column.pack_start(widget, False, False, 0)
        self.add(column)
        self._enable()
        background.do(history.kept_results, self._show_kept)

    @property
    def inserts_by_itself(self) -> bool:
        """Whether a result becomes a layer as soon as it is there."""
        return bool(self._by_itself.get_active())

    def add_results(self, result: BlendResult) -> None:
        """Keep the pictures of a result, each by itself, and show them as the newest."""
        for picture, recipe in zip(result.pictures, result.recipes, strict=True):
            self._background.do(partial(history.keep, [picture], [recipe]), self._put_first)

    def add_sweep(self, result: BlendResult) -> None:
        """Keep the frames of a sweep as one result, and show it as the newest."""
        self._background.do(partial(history.keep, result.pictures, result.recipes), self._put_first)

    def _show_kept(self, kept: Sequence[KeptResult] | KandinskyError) -> None:
        if not isinstance(kept, KandinskyError):
            for result in kept:
                self._put_first(result)

    def _put_first(self, result: KeptResult | KandinskyError) -> None:
        if isinstance(result, KandinskyError):
            return
        self._results.insert(0, result)
        button = Gtk.Button(relief=Gtk.ReliefStyle.NONE, image=Gtk.Image.new_from_pixbuf(_thumbnail(result)))
        button.set_always_show_image(True)
        button.connect("clicked", lambda _: self._choose(result))
        self._row.pack_start(hinted(button, _title(result)), False, False, 0)
        self._row.reorder_child(button, 0)
        button.show_all()
        while len(self._results) > history.MOST_RESULTS or sum(one.bytes for one in self._results[:-1]) > MOST_HELD:
            self._take_out(len(self._results) - 1)

    def _choose(self, result: KeptResult) -> None:
        self._chosen = result
        self._compare.set_active(False)
        self._show_chosen()
        self._enable()

    def _show_chosen(self) -> None:
        """Show the one that was clicked, or the last instead while both are compared."""
        if self._chosen is not None:
            result = self._results[0] if self._compare.get_active() else self._chosen
            self._preview.show_picture(result.shown)

    def _discard_chosen(self) -> None:
        if self._chosen is not None:
            gone = self._take_out(self._results.index(self._chosen))
            self._background.do(partial(history.discard, gone), lambda _: None)

    def _take_out(self, place: int) -> KeptResult:
        """Show a result no longer."""
        self._row.get_children()[place].destroy()
        gone = self._results.pop(place)
        if gone is self._chosen:
            self._chosen = None
            self._enable()
        return gone

    def _enable(self) -> None:
        for button in (self._insert, self._compare, self._discard):
            button.set_sensitive(self._chosen is not None)


def _title(result: KeptResult) -> str:
    """What tells a result from the others."""
    first, last = result.recipes[0], result.recipes[-1]
    return sweep_title(first, last) if result.is_sweep else variation_title(first)


def _thumbnail(result: KeptResult) -> GdkPixbuf.Pixbuf:
    picture = result.shown
    scale = SIDE / max(picture.width, picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return pixbuf(picture).scale_simple(*size, GdkPixbuf.InterpType.BILINEAR)
