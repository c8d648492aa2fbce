"""A bar over a dialog that offers the pictures of earlier sessions: those whose plug-in process was killed."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gimp, GLib, Gtk

from plugin_client.client import BlendResult
from plugin_client.gimp import claims, lost
from plugin_client.gimp.claims import Held
from plugin_client.gimp.connection import connect_to_running
from plugin_client.gimp.dialog.background import Background
from plugin_client.gimp.lost import Found
from plugin_client.gimp.report import job_line
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import KandinskyError, TransportError

PERIOD = 1000  # ms between looks for news

_OPEN, _DISCARD = 1, 2


class LostBar(Gtk.InfoBar):
    """Is not to be seen while there is nothing to offer. Call close() when the dialog ends.

    No daemon is started only to look.
    """

    def __init__(self) -> None:
        super().__init__(no_show_all=True, message_type=Gtk.MessageType.INFO, show_close_button=True)
        self._line = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=50, visible=True)
        self.get_content_area().pack_start(self._line, True, True, 0)
        self._open = self.add_button(_("Open"), _OPEN)
        self._discard = self.add_button(_("Discard"), _DISCARD)
        self._lost: list[Held] = []
        self._offered: list[Found] = []  # what the buttons act on
        self._daemon = Background(connect_to_running)
        self._timer = GLib.timeout_add(PERIOD, self._look)
        self.connect("response", lambda _, response: self._respond(response))
        self._look()

    def close(self) -> None:
        """What was neither opened nor discarded is offered again another time."""
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0
        self._daemon.close()
        for held in self._lost:
            held.let_go()
        self._lost.clear()

    def _look(self) -> bool:
        self._lost += claims.take_lost()
        if self._lost:
            held = tuple(self._lost)
            self._daemon.ask(lambda client: lost.look_for(client, held), self._show)
        return True  # to the main loop: again

    def _show(self, found: Sequence[Found] | KandinskyError) -> None:
        if isinstance(found, KandinskyError):
            return  # as long as no daemon answers, nothing is known
        known = [one for one in found if one.held in self._lost]
        hopeless = [one for one in known if one.is_hopeless]
        for one in hopeless:
            self._settle(one.held)
        if known:
            ready = [one for one in known if one.is_ready]
            self._offered = ready or [one for one in known if not one.is_hopeless]
            self._open.set_visible(bool(ready))
            self._discard.set_visible(bool(self._offered))
            self._say(_offer(ready) or _waiting(self._offered) or _gone(hopeless))

    def _respond(self, response: int) -> None:
        if response == _OPEN:
            for one in self._offered:
                self._fetch(one.held)
        elif response == _DISCARD:
            for one in self._offered:
                self._give_up(one.held)
        else:
            self.close()
            self.hide()

    def _fetch(self, held: Held) -> None:
        self._daemon.ask(
            lambda client: lost.fetch(client, held, lambda progress: None), lambda end: self._insert(held, end)
        )

    def _insert(self, held: Held, end: BlendResult | KandinskyError) -> None:
        if held not in self._lost:
            return  # Open was pressed twice
        if isinstance(end, KandinskyError):
            self._fail(held, end)
            return
        layer = lost.put_home(held, end, Gimp.Display.new)
        self._lost.remove(held)
        Gimp.displays_flush()
        self._daemon.ask(lambda client: lost.release(client, held), lambda end: None)
        self._finish(_("Here it is: {layer}").format(layer=layer.get_name()))

    def _give_up(self, held: Held) -> None:
        def told(end: KandinskyError | None) -> None:
            if isinstance(end, KandinskyError):
                self._fail(held, end)
            else:
                self._settle(held)
                self.hide()

        self._daemon.ask(lambda client: lost.release(client, held), told)

    def _fail(self, held: Held, error: KandinskyError) -> None:
        """Nothing will come of it, unless it is only that no daemon answers."""
        if not isinstance(error, TransportError):
            self._settle(held)
        self._finish(str(error))

    def _settle(self, held: Held) -> None:
        if held in self._lost:
            self._lost.remove(held)
            held.settle(None)

    def _finish(self, line: str) -> None:
        self._open.hide()
        self._discard.hide()
        self._say(line)

    def _say(self, line: str) -> None:
        self._line.set_text(line)
        self.show()


def _offer(ready: Sequence[Found]) -> str:
    if len(ready) == 1:
        return _("A picture from an earlier session is ready: {title}").format(title=ready[0].held.claim.title)
    return _("Pictures from earlier sessions are ready: {number}").format(number=len(ready)) if ready else ""


def _waiting(found: Sequence[Found]) -> str:
    if not found or found[0].info is None:
        return ""
    first = found[0].held.claim.title
    line = _("A picture from an earlier session is still being made: {title}").format(title=first)
    return f"{line}\n{job_line(found[0].info)}"


def _gone(hopeless: Sequence[Found]) -> str:
    titles = "; ".join(one.held.claim.title for one in hopeless)
    return _("The daemon no longer has what an earlier session asked for: {titles}").format(titles=titles)
