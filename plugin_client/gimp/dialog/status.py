"""The window that shows how the daemon is, once a second, and starts and stops it."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gdk, GimpUi, GLib, Gtk, Pango

from plugin_client.client import Client
from plugin_client.gimp import report
from plugin_client.gimp.connection import Installation, connect_to_running, start_daemon, why_no_start
from plugin_client.gimp.dialog.background import Background
from plugin_client.gimp.dialog.widgets import named, progress_bar, text_button
from plugin_client.gimp.report import Report
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import DaemonNotRunning, KandinskyError, UsageError
from plugin_client.wire.messages import JobInfo

PERIOD = 1000  # ms from an answer to the next question
ANSWER_SECONDS = 3.0  # for a daemon that was killed to count as gone
WIDTH = 480  # px

_START, _STOP = 1, 2


class StatusWindow:
    def __init__(self) -> None:
        self._daemon = Background(_connect)
        self._report: Report | None = None
        self._facts = Facts()
        self._queue = Queue(self._cancel)
        self._by_hand = ByHand()
        self._line = Gtk.Label(xalign=0.0, wrap=True, selectable=True, max_width_chars=60, no_show_all=True)
        self._is_busy = False
        self._dialog = self._window()

    def run(self) -> None:
        """Until it is closed."""
        self._look()
        self._dialog.show_all()
        self._enable()
        actions = {_START: self._start_daemon, _STOP: self._stop_daemon}
        while action := actions.get(self._dialog.run()):
            action()
        self._daemon.close()
        self._dialog.destroy()

    def _window(self) -> GimpUi.Dialog:
        dialog = GimpUi.Dialog(title=_("Kandinsky: Daemon Status"), role="kandinsky-blend-status")
        dialog.set_default_size(WIDTH, -1)
        area = dialog.get_content_area()
        area.set_spacing(12)
        area.set_border_width(12)
        for widget in (self._facts, self._queue, self._by_hand, self._line):
            area.pack_start(widget, False, False, 0)
        for label, response in ((_("S_tart"), _START), (_("Sto_p"), _STOP), (_("_Close"), Gtk.ResponseType.CLOSE)):
            dialog.add_button(label, response)
        return dialog

    def _look(self) -> bool:
        self._daemon.ask(report.ask, self._show)
        return False  # to the main loop: _show asks for the next time

    def _show(self, found: Report | KandinskyError) -> None:
        self._report = None if isinstance(found, KandinskyError) else found
        why_none = self._by_hand.if_none_runs if isinstance(found, DaemonNotRunning) else str(found)
        self._facts.show_all_of(self._report, why_none)
        self._queue.show_all_of(self._report.jobs if self._report else ())
        if self._report and self._report.pong.stopping:
            self._daemon.leave()
        self._enable()
        GLib.timeout_add(PERIOD, self._look)

    def _enable(self) -> None:
        may_start = self._report is None and self._by_hand.is_start_possible and not self._is_busy
        may_stop = self._report is not None and not self._report.pong.stopping
        self._dialog.set_response_sensitive(_START, may_start)
        self._dialog.set_response_sensitive(_STOP, may_stop)
        self._by_hand.set_visible(self._report is None and not self._by_hand.is_start_possible)

    def _start_daemon(self) -> None:
        self._is_busy = True
        self._say(_("Starting the daemon: this may take a while ..."))
        self._enable()
        self._daemon.do(start_daemon, self._started)

    def _started(self, end: KandinskyError | None) -> None:
        self._is_busy = False
        self._say(str(end) if isinstance(end, KandinskyError) else "")
        self._enable()

    def _stop_daemon(self) -> None:
        if self._report is None or ((losses := _losses(self._report)) and not self._confirm(losses)):
            return
        self._say("")
        self._daemon.ask(lambda client: client.shutdown(), self._told)
        self._daemon.leave()

    def _confirm(self, losses: str) -> bool:
        question = Gtk.MessageDialog(
            transient_for=self._dialog,
            modal=True,
            message_type=Gtk.MessageType.QUESTION,
            text=_("Stop the daemon?"),
            secondary_text=losses,
        )
        question.add_button(_("_Keep It Running"), Gtk.ResponseType.CANCEL)
        question.add_button(_("_Stop the Daemon"), Gtk.ResponseType.OK)
        answer = question.run()
        question.destroy()
        return bool(answer == Gtk.ResponseType.OK)

    def _cancel(self, job: str) -> None:
        self._daemon.ask(lambda client: client.job(job).cancel(), self._told)

    def _say(self, line: str) -> None:
        self._line.set_text(line)
        self._line.set_visible(bool(line))

    def _told(self, end: object) -> None:
        """Only what went wrong: the rest is to be seen at the next look."""
        if isinstance(end, KandinskyError):
            self._say(str(end))


def _losses(report: Report) -> str:
    """What goes when the daemon ends, a line each; "" is nothing."""
    counts = {
        _("Pictures that it has yet to finish, and would give up: {number}"): len(report.jobs),
        _("Finished pictures that nobody has taken yet, and that would be lost: {number}"): report.unfetched,
    }
    return "\n".join(line.format(number=number) for line, number in counts.items() if number)


class Facts(Gtk.Grid):
    """What is known of the daemon, a line each."""

    def __init__(self) -> None:
        super().__init__(row_spacing=6, column_spacing=12)
        names = (_("Daemon"), _("Version"), _("Computes"), _("Memory"), _("Models"))
        self._values = [self._row(number, name) for number, name in enumerate(names)]
        self._values[0].set_text(_("Looking for it ..."))

    def show_all_of(self, found: Report | None, why_none: str) -> None:
        pong = found.pong if found else None
        texts = [
            report.state(pong) if pong else why_none,
            pong.version if pong else "",
            report.computes(pong) if pong else "",
            report.memory(pong) if pong else "",
            "\n".join(map(report.model_line, found.models)) if found else "",
        ]
        for label, text in zip(self._values, texts, strict=True):
            label.set_text(text or "–")

    def _row(self, number: int, name: str) -> Gtk.Label:
        caption = Gtk.Label(label=name, xalign=0.0, yalign=0.0)
        caption.get_style_context().add_class("dim-label")
        value = Gtk.Label(label="–", xalign=0.0, wrap=True, wrap_mode=Pango.WrapMode.WORD_CHAR, hexpand=True)
        value.set_max_width_chars(50)
        value.set_selectable(True)
        value.set_can_focus(False)
        self.attach(caption, 0, number, 1, 1)
        self.attach(value, 1, number, 1, 1)
        return value


class Queue(Gtk.Box):
    """The jobs that wait or run; `cancel` is called with the id of one."""

    def __init__(self, cancel: Callable[[str], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._cancel = cancel
        self._rows: dict[str, JobRow] = {}
        self._head = Gtk.Label(xalign=0.0)
        self._head.set_text(_("No picture waits or is being made"))
        self.pack_start(self._head, False, False, 0)

    def show_all_of(self, jobs: tuple[JobInfo, ...]) -> None:
        for gone in self._rows.keys() - {job.job for job in jobs}:
            self._rows.pop(gone).destroy()
        for job in jobs:
            self._row(job).show_job(job)
        self._head.set_text(
            _("Pictures that wait or are being made: {number}").format(number=len(jobs))
            if jobs
            else _("No picture waits or is being made")
        )

    def _row(self, job: JobInfo) -> JobRow:
        if job.job not in self._rows:
            row = self._rows[job.job] = JobRow(job, self._cancel)
            self.pack_start(row, False, False, 0)
            row.show_all()
        return self._rows[job.job]


class JobRow(Gtk.Box):
    def __init__(self, job: JobInfo, cancel: Callable[[str], None]) -> None:
        super().__init__(spacing=12)
        title = Gtk.Label(label=job.title, xalign=0.0, ellipsize=Pango.EllipsizeMode.END)
        title.set_tooltip_text(job.title)
        self._line = Gtk.Label(xalign=0.0)
        self._bar = progress_bar(_("Progress"))
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=3)
        for widget in (title, self._bar, self._line):
            column.pack_start(widget, False, False, 0)
        self._button = named(text_button(_("Cancel"), lambda: cancel(job.job)), _("Cancel this picture"))
        self._button.set_valign(Gtk.Align.CENTER)
        self.pack_start(column, True, True, 0)
        self.pack_start(self._button, False, False, 0)

    def show_job(self, job: JobInfo) -> None:
        self._line.set_text(report.job_line(job))
        self._bar.set_fraction(min(1.0, job.step / job.steps) if job.steps else 0.0)
        self._button.set_sensitive(job.state != "cancelling")


class ByHand(Gtk.Box):
    """Where no daemon can be started from here: why, and the line to run in a terminal."""

    def __init__(self) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6, no_show_all=True)
        reason, command = _by_hand()
        self.is_start_possible = not reason
        self.if_none_runs = _("Not running") if reason else _("Not running; the next picture starts it")
        text = _("GIMP cannot start the daemon here: {reason}. Run this in a terminal:").format(reason=reason)
        why = Gtk.Label(label=text, xalign=0.0, wrap=True, max_width_chars=60, visible=True)
        line = named(Gtk.Entry(text=command, editable=False, hexpand=True), _("The line that starts the daemon"))
        copy = text_button(_("C_opy"), lambda: _copy(command))
        row = Gtk.Box(spacing=6)
        row.pack_start(line, True, True, 0)
        row.pack_start(copy, False, False, 0)
        row.show_all()
        for widget in (why, row):
            self.pack_start(widget, False, False, 0)


def _connect() -> Client:
    client = connect_to_running()
    client.timeout = ANSWER_SECONDS
    return client


def _by_hand() -> tuple[str, str]:
    """Why no daemon can be started from here, and the line for a terminal."""
    try:
        installation = Installation.read()
    except UsageError as exc:
        return str(exc), "kandinsky-blend start"
    return why_no_start(installation), installation.start_line


def _copy(text: str) -> None:
    clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
    clipboard.set_text(text, -1)
    clipboard.store()
