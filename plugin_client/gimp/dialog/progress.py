"""How far a job is: a bar, a line of text, the preview and Stop."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import GdkPixbuf, Gtk

from plugin_client.gimp.dialog.thumbnails import pixbuf
from plugin_client.gimp.dialog.widgets import named, progress_bar, text_button
from plugin_client.gimp.titles import picture_line
from plugin_client.gimp.translation import _
from plugin_client.wire.messages import Picture, Progress

PREVIEW = 160  # px


class ProgressPanel(Gtk.Box):
    """`stopped` is called when Stop is pressed."""

    def __init__(self, stopped: Callable[[], None]) -> None:
        super().__init__(spacing=12)
        self._pictures = 1  # that are being made
        self._preview = named(Gtk.Image(no_show_all=True), _("Preview"))  # empty, it would push the bar aside
        self._bar = progress_bar(_("Progress"))
        self._line = Gtk.Label(xalign=0.0, wrap=True, selectable=True, max_width_chars=60)
        self._stop = text_button(_("St_op"), stopped)
        self._stop.set_sensitive(False)
        self._stop.set_valign(Gtk.Align.START)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        for widget in (self._bar, self._line):
            column.pack_start(widget, False, False, 0)
        self.pack_start(self._preview, False, False, 0)
        self.pack_start(column, True, True, 0)
        self.pack_start(self._stop, False, False, 0)

    def expect(self, pictures: int) -> None:
        """So many pictures are being made."""
        self._pictures = pictures

    def begin(self, line: str) -> None:
        self._bar.set_fraction(0.0)
        self._stop.set_sensitive(True)
        self.say(line)

    def end(self, line: str, fraction: float = 0.0) -> None:
        self._bar.set_fraction(fraction)
        self._stop.set_sensitive(False)
        self.say(line)

    def say(self, line: str) -> None:
        self._line.set_text(line)

    def show_progress(self, progress: Progress) -> None:
        """Short of the end until the picture is there."""
        self._bar.set_fraction(min(progress.step / progress.steps, 0.99) if progress.steps else 0.0)
        self.say(picture_line(progress, self._pictures))
        if progress.preview:
            self.show_picture(progress.preview)

    def show_picture(self, picture: Picture) -> None:
        scale = PREVIEW / max(picture.width, picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        self._preview.set_from_pixbuf(pixbuf(picture).scale_simple(*size, GdkPixbuf.InterpType.BILINEAR))
        self._preview.show()
