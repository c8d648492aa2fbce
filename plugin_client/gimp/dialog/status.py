"""The window that shows the daemon's state, once a second, and starts and stops it."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gdk, GimpUi, Gtk, Pango

from plugin_client.client import Client
from plugin_client.editor import report
from plugin_client.editor.background import Background
from plugin_client.editor.connection import (
    INSTALL_AGAIN,
    Installation,
    advice,
    connect_to_running,
    start_daemon,
    why_no_start,
)
from plugin_client.editor.report import Report
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.widgets import named, progress_bar, take_away, text_button
from plugin_client.gimp.main_loop import MainLoop
from plugin_client.wire.errors import DaemonNotRunning, KandinskyError, UsageError
from plugin_client.wire.messages import JobInfo

PERIOD = 1.0  # s between looks
ANSWER_SECONDS = 3.0  # for a daemon that was killed to count as gone
WIDTH = 480  # px

_START, _STOP = 1, 2


class StatusWindow:
    """The window of Daemon Status. It starts no daemon only to look."""

    def __init__(self) -> None:
        main_loop = MainLoop()
        self._background = Background(main_loop)
        self._is_asking = False
        self._report: Report | None = None
        self._facts = Facts()
        self._queue = Queue(self._cancel)
        self._failures = Failures()
        self._by_hand = ByHand()
        self._line = Gtk.Label(xalign=0.0, wrap=True, selectable=True, max_width_chars=60, no_show_all=True)
        self._is_busy = False
        self._dialog = self._window()
        self._end_looks = main_loop.repeat(PERIOD, self._look)
        self._look()

    def run(self) -> None:
        """Show the window until it is closed."""
        self._dialog.show_all()
        self._enable()
        actions = {_START: self._start_daemon, _STOP: self._stop_daemon}
        while action := actions.get(self._dialog.run()):
            action()
        self._end_looks()
        take_away(self._dialog)
        self._background.close()

    def _window(self) -> GimpUi.Dialog:
        dialog = GimpUi.Dialog(title=_("Kandinsky: Daemon Status"), role="kandinsky-blend-status")
        dialog.set_default_size(WIDTH, -1)
        area = dialog.get_content_area()
        area.set_spacing(12)
        area.set_border_width(12)
        for widget in (self._facts, self._queue, self._failures, self._by_hand, self._line):
            area.pack_start(widget, False, False, 0)
        for label, response in ((_("S_tart"), _START), (_("Sto_p"), _STOP), (_("_Close"), Gtk.ResponseType.CLOSE)):
            dialog.add_button(label, response)
        return dialog

    def _look(self) -> None:
        if not self._is_asking:
            self._is_asking = True
            self._background.ask(report.ask, self._show, _connect)

    def _show(self, answer: Report | KandinskyError) -> None:
        self._is_asking = False
        self._report = None if isinstance(answer, KandinskyError) else answer
        self._facts.show_report(self._report, self._why_none(answer))
        self._queue.show_jobs(self._report.jobs if self._report else ())
        self._failures.show_jobs(self._report.failures if self._report else ())
        self._enable()

    def _why_none(self, answer: Report | KandinskyError) -> str:
        """The reason why there is no report; "" if there is one."""
        if isinstance(answer, DaemonNotRunning):
            return self._by_hand.if_none_runs
        return answer.render(_) if isinstance(answer, KandinskyError) else ""

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
        self._background.do(start_daemon, self._started)

    def _started(self, end: KandinskyError | None) -> None:
        self._is_busy = False
        self._say(end.render(_) if isinstance(end, KandinskyError) else "")
        self._enable()

    def _stop_daemon(self) -> None:
        if self._report is None or ((losses := _losses(self._report)) and not self._confirm(losses)):
            return
        self._say("")
        self._background.ask(lambda client: client.shutdown(), self._say_error, _connect)

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
        self._background.ask(lambda client: client.job(job).cancel(), self._say_error, _connect)

    def _say(self, line: str) -> None:
        self._line.set_text(line)
        self._line.set_visible(bool(line))

    def _say_error(self, end: object) -> None:
        """Say what went wrong; anything else is seen at the next look."""
        if isinstance(end, KandinskyError):
            self._say(end.render(_))


def _losses(report: Report) -> str:
    """The pictures that are lost when the daemon ends, a line for each kind; "" is none."""
    counts = {
        _("Pictures that it has yet to finish, and would give up: {number}"): len(report.jobs),
        _("Finished pictures that nobody has taken yet, and that would be lost: {number}"): report.unfetched,
    }
    return "\n".join(line.format(number=number) for line, number in counts.items() if number)


class Facts(Gtk.Grid):
    """The daemon's state, version, hardware, memory and models, a line each."""

    def __init__(self) -> None:
        super().__init__(row_spacing=6, column_spacing=12)
        names = (_("Daemon"), _("Version"), _("Computes"), _("Memory"), _("Machines"), _("Models"))
        self._values = [self._row(number, name) for number, name in enumerate(names)]
        self._values[0].set_text(_("Looking for it ..."))

    def show_report(self, found: Report | None, why_none: str) -> None:
        pong = found.pong if found else None
        texts = [
            report.state(pong) if pong else why_none,
            pong.version if pong else "",
            report.computes(pong) if pong else "",
            report.memory(pong) if pong else "",
            report.machine_lines(pong, found.jobs if found else ()) if pong else "",
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
    """The jobs that wait or run; `on_cancel` is called with the id of one."""

    def __init__(self, on_cancel: Callable[[str], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._on_cancel = on_cancel
        self._rows: dict[str, JobRow] = {}
        self._head = Gtk.Label(xalign=0.0)
        self._head.set_text(_("No picture waits or is being made"))
        self.pack_start(self._head, False, False, 0)

    def show_jobs(self, jobs: tuple[JobInfo, ...]) -> None:
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
            row = self._rows[job.job] = JobRow(job, self._on_cancel)
            self.pack_start(row, False, False, 0)
            row.show_all()
        return self._rows[job.job]


class JobRow(Gtk.Box):
    """A job: its title, progress, and a button that cancels it."""

    def __init__(self, job: JobInfo, on_cancel: Callable[[str], None]) -> None:
        super().__init__(spacing=12)
        title = Gtk.Label(label=job.title, xalign=0.0, ellipsize=Pango.EllipsizeMode.END)
        title.set_tooltip_text(job.title)
        self._line = Gtk.Label(xalign=0.0)
        self._bar = progress_bar(_("Progress"))
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=3)
        for widget in (title, self._bar, self._line):
            column.pack_start(widget, False, False, 0)
        self._button = named(text_button(_("Cancel"), lambda: on_cancel(job.job)), _("Cancel this picture"))
        self._button.set_valign(Gtk.Align.CENTER)
        self.pack_start(column, True, True, 0)
        self.pack_start(self._button, False, False, 0)

    def show_job(self, job: JobInfo) -> None:
        self._line.set_text(report.job_line(job))
        self._bar.set_fraction(min(1.0, job.step / job.steps) if job.steps else 0.0)
        self._button.set_sensitive(job.state != "cancelling")


class Failures(Gtk.Box):
    """The jobs that failed last, and why; nothing where there are none."""

    def __init__(self) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6, no_show_all=True)
        self._lines: list[Gtk.Label] = []
        head = Gtk.Label(label=_("Failed last"), xalign=0.0, visible=True)
        self.pack_start(head, False, False, 0)

    def show_jobs(self, jobs: tuple[JobInfo, ...]) -> None:
        while len(self._lines) < 2 * len(jobs):
            self._lines += [self._add(_title_label()), self._add(_reason_label())]
        for job, title, reason in zip(jobs, self._lines[::2], self._lines[1::2], strict=False):
            title.set_text(job.title)
            title.set_tooltip_text(job.title)
            reason.set_text(report.failure_line(job))
        for number, line in enumerate(self._lines):
            line.set_visible(number < 2 * len(jobs))
        self.set_visible(bool(jobs))

    def _add(self, label: Gtk.Label) -> Gtk.Label:
        self.pack_start(label, False, False, 0)
        return label


def _title_label() -> Gtk.Label:
    return Gtk.Label(xalign=0.0, ellipsize=Pango.EllipsizeMode.END)


def _reason_label() -> Gtk.Label:
    label = Gtk.Label(xalign=0.0, wrap=True, wrap_mode=Pango.WrapMode.WORD_CHAR, selectable=True, max_width_chars=60)
    label.get_style_context().add_class("dim-label")
    label.set_can_focus(False)
    return label


class ByHand(Gtk.Box):
    """The reason why no daemon can be started from here, and the line that does it in a terminal."""

    def __init__(self) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6, no_show_all=True)
        reason, command = _by_hand()
        self.is_start_possible = not reason
        self.if_none_runs = _("Not running") if reason else _("Not running; the next picture starts it")
        if command == INSTALL_AGAIN:
            text = _("GIMP cannot start the daemon: {reason}. Run this in the project's folder:").format(reason=reason)
        else:
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
    """The reason why no daemon can be started from here, "" if it can be, and the line that does it in a terminal."""
    try:
        installation = Installation.read()
    except UsageError as exc:
        return exc.render(_), INSTALL_AGAIN
    return why_no_start(installation), advice(installation)


def _copy(text: str) -> None:
    clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
    clipboard.set_text(text, -1)
    clipboard.store()
