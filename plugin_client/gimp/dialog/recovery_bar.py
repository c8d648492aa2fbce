"""A bar over a dialog that offers pictures of earlier sessions: those whose plug-in process was killed."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gimp, Gtk

from plugin_client.editor.background import Background
from plugin_client.editor.pending_jobs import PendingJob
from plugin_client.editor.recovery import Recovery, RecoveryNotice
from plugin_client.editor.scheduler import Scheduler
from plugin_client.editor.translation import _
from plugin_client.gimp.insert import inserting_recovered
from plugin_client.gimp.main_loop import Chore, Chores
from plugin_client.job import BlendResult

_OPEN, _DISCARD = 1, 2


class RecoveryBar(Gtk.InfoBar):
    """A bar that is hidden while there is nothing to offer. Call close() when the dialog ends."""

    def __init__(self, background: Background, scheduler: Scheduler) -> None:
        super().__init__(no_show_all=True, message_type=Gtk.MessageType.INFO, show_close_button=True)
        self._text = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=50, visible=True)
        self.get_content_area().pack_start(self._text, True, True, 0)
        self._open = self.add_button(_("Open"), _OPEN)
        self._discard = self.add_button(_("Discard"), _DISCARD)
        self._chores = Chores()
        self._recovery = Recovery(background, scheduler, self._insert, self._show_notice)
        self.connect("response", lambda _, response: self._respond(response))

    def close(self) -> None:
        """Leave what was neither opened nor discarded, nor is inserted by now, for another time."""
        self._chores.clear()
        self._recovery.close()

    def _respond(self, response: int) -> None:
        if response == _OPEN:
            self._recovery.open()
        elif response == _DISCARD:
            self._recovery.discard()
        else:
            self.close()
            self.hide()

    def _show_notice(self, notice: RecoveryNotice | None) -> None:
        if notice is None:
            self.hide()
            return
        self._open.set_visible(notice.can_open)
        self._discard.set_visible(notice.can_discard)
        self._text.set_text(notice.text)
        self.show()

    def _insert(self, pending: PendingJob, result: BlendResult, on_inserted: Callable[[str], None]) -> None:
        self._chores.add(_inserting(pending, result, on_inserted))


def _inserting(pending: PendingJob, result: BlendResult, on_inserted: Callable[[str], None]) -> Chore:
    """Insert a result where it belongs, show it, and tell the name of the layer."""
    layer = yield from inserting_recovered(pending, result, Gimp.Display.new)
    yield
    Gimp.displays_flush()
    on_inserted(layer.get_name())
