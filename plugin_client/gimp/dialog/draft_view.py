"""The switch of the drafts, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gtk

from plugin_client.editor.background import Background
from plugin_client.editor.drafts import Draft, DraftEnd, Drafts, TooSlow
from plugin_client.editor.requests import GenerateRequest
from plugin_client.editor.scheduler import Scheduler
from plugin_client.editor.switches import DRAFTS, is_on, remember
from plugin_client.editor.translation import _
from plugin_client.formatting import duration
from plugin_client.gimp.dialog.progress import ProgressPanel
from plugin_client.wire.errors import DaemonNotRunning


class DraftView(Gtk.CheckButton):
    """A switch, which stays where the artist has put it. On, each draft is shown as the preview.

    The first draft that takes long puts it off, for this dialog alone.

    Args:
        panel: shows the drafts.
        make: as of Drafts.
    """

    def __init__(
        self,
        background: Background,
        scheduler: Scheduler,
        panel: ProgressPanel,
        make: Callable[[], GenerateRequest | None],
    ) -> None:
        super().__init__(label=_("Show drafts while weights are moved"), active=is_on(DRAFTS))
        self.set_tooltip_text(
            _("When a weight or the puck rests, a quick picture with the same seed shows what Generate would make")
        )
        self._panel = panel
        self._drafts = Drafts(background, scheduler, make, self._show)
        self._toggled = self.connect("toggled", lambda _: self._switch())

    def move(self) -> None:
        """Have a draft drawn once the weights rest."""
        if self.get_active():
            self._drafts.move()

    def cancel(self) -> None:
        self._drafts.cancel()

    def _switch(self) -> None:
        """Draw at once what was asked for by hand, however long it takes."""
        self._drafts.are_slow_ones_wanted = True
        remember(DRAFTS, self.get_active())
        if self.get_active():
            self._drafts.move()
        else:
            self._drafts.cancel()

    def _show(self, end: DraftEnd) -> None:
        match end:
            case Draft(picture, seconds):
                self._panel.preview.show_picture(picture)
                self._panel.say(
                    _("Draft, drawn in {time}").format(time=_("{seconds} s").format(seconds=f"{seconds:.1f}"))
                )
            case TooSlow(seconds):
                with self.handler_block(self._toggled):
                    self.set_active(False)
                line = _("Drafts are off: one takes about {time}. Switch them on to see them all the same.")
                self._panel.say(line.format(time=duration(seconds, _)))
            case DaemonNotRunning():
                self._panel.say(_("Drafts come once the daemon runs: it starts with the first picture."))
            case _:
                self._panel.say(end.render(_))
