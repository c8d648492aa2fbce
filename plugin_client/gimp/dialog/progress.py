"""What comes of Generate, always in sight: the preview, a line of text, and a row for each job."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import GdkPixbuf, Gtk, Pango

from plugin_client.editor.titles import picture_line
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.thumbnails import pixbuf
from plugin_client.gimp.dialog.widgets import named, progress_bar, text_button
from plugin_client.wire.messages import Picture, Progress

LEAST_PREVIEW, MOST_PREVIEW = 160, 512  # px of its longer side
PREVIEW_SHARE = 0.3  # of the dialog's height
MOST_JOBS_HEIGHT = 150  # px of the rows; more of them scroll


def sentence(words: str) -> str:
    """What the daemon says, with a capital letter."""
    return f"{words[:1].upper()}{words[1:]}"


class Preview(Gtk.Image):
    """The newest picture, as large as the dialog has room for; hidden before the first."""

    def __init__(self) -> None:
        super().__init__(no_show_all=True)  # empty, it would take room
        self._picture: Picture | None = None
        self._side = LEAST_PREVIEW
        named(self, _("Preview"))

    def show_picture(self, picture: Picture) -> None:
        self._picture = picture
        scale = self._side / max(picture.width, picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        self.set_from_pixbuf(pixbuf(picture).scale_simple(*size, GdkPixbuf.InterpType.BILINEAR))
        self.show()

    def fit_into(self, height: int) -> None:
        """Take a share of a dialog of this height."""
        side = min(max(round(PREVIEW_SHARE * height), LEAST_PREVIEW), MOST_PREVIEW)
        if side != self._side:
            self._side = side
            if self._picture is not None:
                self.show_picture(self._picture)


class JobRow(Gtk.Box):
    """One job: its title, a bar, a line, and buttons to stop it, or to go on after its daemon has gone."""

    def __init__(self, on_stop: Callable[[], None], on_go_on: Callable[[], None]) -> None:
        super().__init__(spacing=12)
        self._pictures = 1  # that are being made
        self._title = Gtk.Label(xalign=0.0, ellipsize=Pango.EllipsizeMode.END, no_show_all=True)
        self._bar = progress_bar(_("Progress"))
        self._line = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=40)
        self._stop = text_button(_("St_op"), on_stop)
        self._go_on = text_button(_("Go On"), on_go_on)
        self._go_on.set_no_show_all(True)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=3)
        for widget in (self._title, self._bar, self._line):
            column.pack_start(widget, False, False, 0)
        self.pack_start(column, True, True, 0)
        for button in (self._go_on, self._stop):
            button.set_valign(Gtk.Align.START)
            self.pack_start(button, False, False, 0)
        self.show_all()

    def expect(self, title: str, pictures: int) -> None:
        """Show the title, and the progress of so many pictures from now on."""
        self._title.set_text(title)
        self._title.show()
        self._pictures = pictures

    def say(self, line: str) -> None:
        self._line.set_text(sentence(line))

    def hide_stop(self) -> None:
        self._stop.hide()

    def show_progress(self, progress: Progress) -> None:
        """Show a step forward: the bar stays short of its end until the picture is there."""
        self._bar.set_fraction(min(progress.step / progress.steps, 0.99) if progress.steps else 0.0)
        self.say(picture_line(progress, self._pictures))

    def offer_to_go_on(self, is_offered: bool) -> None:
        self._go_on.set_visible(is_offered)
        self._bar.set_fraction(0.0)


class ProgressPanel(Gtk.Box):
    """The preview, the last word about what was made, and the rows of the jobs that are not over."""

    def __init__(self) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self.preview = Preview()
        self._line = Gtk.Label(xalign=0.0, wrap=True, selectable=True, max_width_chars=50, no_show_all=True)
        self._line.set_can_focus(False)
        self._rows = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._view = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER, no_show_all=True)
        self._view.set_propagate_natural_height(True)
        self._view.set_max_content_height(MOST_JOBS_HEIGHT)
        self._view.add(self._rows)
        for widget in (self.preview, self._line, self._view):
            self.pack_start(widget, False, False, 0)

    def say(self, line: str) -> None:
        self._line.set_text(sentence(line))
        self._line.set_visible(bool(line))

    def add(self, row: JobRow) -> None:
        self._rows.pack_start(row, False, False, 0)
        self._rows.show_all()
        self._view.show()

    def remove(self, row: JobRow) -> None:
        row.destroy()
        self._view.set_visible(bool(self._rows.get_children()))
