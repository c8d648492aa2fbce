"""The procedures that make no picture, as a table, and their creation: Daemon Status, and Recover Lost Results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gi.repository import Gimp, GObject

from plugin_client.client import Client
from plugin_client.editor import recovery, report
from plugin_client.editor.connection import connect_or_start, connect_to_running
from plugin_client.editor.pending_jobs import PendingJobLock, lock_abandoned
from plugin_client.editor.translation import _
from plugin_client.gimp.arguments import Argument
from plugin_client.gimp.commands import show_progress
from plugin_client.gimp.insert import OnNewImage, insert_recovered, leave_to_the_script
from plugin_client.gimp.procedures import MENU, REAL, WHOLE, add_argument
from plugin_client.wire.errors import DaemonNotRunning, JobFailed, Refused, TransportError, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.settings import Value

Action = Callable[[Client, PendingJobLock, OnNewImage], Gimp.Layer | None]

STATUS = "kandinsky-blend-status"
RECOVER = "kandinsky-blend-recover"


@dataclass(frozen=True)
class ReturnValue:
    """One value that a script gets; `example` has its type."""

    name: str
    label: str
    help: str
    example: bool | int | float | str | list[str]


@dataclass(frozen=True)
class Service:
    """A procedure that makes no picture."""

    label: str
    blurb: str
    help: str
    arguments: tuple[Argument, ...]
    returned: tuple[ReturnValue, ...]
    run: Callable[[Mapping[str, Value]], tuple[Any, ...]]  # for a script: the values that it gets


def status(values: Mapping[str, Value]) -> tuple[Any, ...]:
    """The state of the daemon; none is started for that."""
    try:
        with connect_to_running() as client:
            found = report.ask(client)
    except DaemonNotRunning:
        return tuple(value.example for value in SERVICES[STATUS].returned)
    pong, models = found.pong, [model.name for model in found.models]
    loaded = [model.name for model in found.models if model.loaded]
    hardware = pong.device, pong.precision, float(pong.memory), pong.uptime
    return True, pong.version, *hardware, models, loaded, pong.waiting, pong.running, report.jobs_as_json(found)


def recover(values: Mapping[str, Value], on_new_image: OnNewImage = leave_to_the_script) -> tuple[Any, ...]:
    """Insert the results of abandoned jobs, or discard them."""
    act = _action(str(values[ACTION.name]))
    locks = lock_abandoned()
    if not locks:
        return "[]", []
    with connect_or_start() as client:
        layers = [act(client, lock, on_new_image) for lock in locks]
    gone = [lock.pending.title for lock, layer in zip(locks, layers, strict=True) if layer is None]
    return json.dumps([layer.get_id() for layer in layers if layer]), gone


def _action(name: str) -> Action:
    if name not in _ACTIONS:
        raise UsageError(N_("action is {value!r}: must be one of {choices}"), value=name, choices=", ".join(_ACTIONS))
    return _ACTIONS[name]


def _open(client: Client, lock: PendingJobLock, on_new_image: OnNewImage) -> Gimp.Layer | None:
    """Wait for a result and insert it; None when the daemon no longer has it."""
    Gimp.progress_init(lock.pending.title)
    try:
        result = recovery.fetch(client, lock, show_progress)
    except (Refused, JobFailed) as exc:
        lock.settle(exc)
        return None
    layer = insert_recovered(lock.pending, result, on_new_image)
    lock.settle(None)
    with suppress(TransportError):  # the daemon forgets it by itself in a day
        recovery.release(client, lock)
    return layer


def _discard(client: Client, lock: PendingJobLock, on_new_image: OnNewImage) -> None:
    recovery.release(client, lock)
    lock.settle(None)


_ACTIONS: dict[str, Action] = {"open": _open, "discard": _discard}

ACTION = Argument(
    "action",
    _("Action"),
    _('"open" waits for the results and puts each into its image, "discard" gives them up'),
    "open",
)
SERVICES = {
    STATUS: Service(
        _("_Daemon Status..."),
        _("State, models, hardware and jobs of the daemon that makes the pictures"),
        _("Starts no daemon. Where none runs, a script gets running = FALSE, zeros, and empty texts and lists."),
        (),
        (
            ReturnValue("running", _("Running"), _("Whether a daemon runs"), False),
            ReturnValue("version", _("Version"), _("Version of the daemon"), ""),
            ReturnValue(
                "device",
                _("Device"),
                _("Hardware that the daemon computes on, CPU or Ascend; empty while it is not known"),
                "",
            ),
            ReturnValue(
                "precision", _("Precision"), _("Number format that the daemon computes in, such as float32"), ""
            ),
            ReturnValue(
                "memory", _("Memory"), _("Memory that the models take, in bytes; 0 while it is not known"), 0.0
            ),
            ReturnValue("uptime", _("Uptime"), _("Time since the daemon started, in seconds"), 0.0),
            ReturnValue(
                "models", _("Models"), _("Names of the models that the daemon offers; the first is the default"), []
            ),
            ReturnValue("loaded", _("Loaded"), _("Names of the models that are in memory"), []),
            ReturnValue("waiting", _("Waiting"), _("Number of jobs that wait"), 0),
            ReturnValue("working", _("Working"), _("Number of jobs that run"), 0),
            ReturnValue(
                "jobs",
                _("Jobs"),
                _("Jobs that wait or run, as JSON: maps with job, title, state, step, steps, elapsed, remaining (s)"),
                "[]",
            ),
        ),
        status,
    ),
    RECOVER: Service(
        _("_Recover Lost Results"),
        _("Pictures that were cut off on GIMP's side: by GIMP's own Cancel, a crash, or the end of GIMP"),
        _(
            "The daemon keeps a result for a day, and goes on with a job whose plug-in process was killed. Each goes "
            "into the image that it was made for if that is open and has the same size and mode, else into a new one."
        ),
        (ACTION,),
        (
            ReturnValue(
                "layers", _("Layers"), _("The new layers or groups of them, as JSON: a list of their ids"), "[]"
            ),
            ReturnValue("gone", _("Gone"), _("The titles of the pictures that the daemon no longer has"), []),
        ),
        recover,
    ),
}


def create(plug_in: Gimp.PlugIn, name: str, run: Callable[..., Gimp.ValueArray]) -> Gimp.Procedure:
    """Create the procedure of this name, which calls `run` with its service last."""
    service = SERVICES[name]
    procedure = Gimp.Procedure.new(plug_in, name, Gimp.PDBProcType.PLUGIN, run, service)
    procedure.set_menu_label(service.label)
    procedure.add_menu_path(MENU)
    procedure.set_documentation(service.blurb, service.help, name)
    procedure.set_attribution("Kandinsky Blend", "Apache-2.0", "2026")
    flags, modes = GObject.ParamFlags.READWRITE, Gimp.RunMode
    procedure.add_enum_argument("run-mode", _("Run mode"), _("The run mode"), modes, modes.NONINTERACTIVE, flags)
    for argument in service.arguments:
        add_argument(procedure, argument)
    for value in service.returned:
        _add_returned(procedure, value)
    return procedure


def values_of(service: Service, values: tuple[Any, ...]) -> list[GObject.Value]:
    """The values that `run` returned, in the types that GIMP takes."""
    return [
        GObject.Value(GObject.TYPE_STRV if isinstance(returned.example, list) else type(returned.example), value)
        for returned, value in zip(service.returned, values, strict=True)
    ]


def _add_returned(procedure: Gimp.Procedure, value: ReturnValue) -> None:
    words, flags = (value.name, value.label, value.help), GObject.ParamFlags.READWRITE
    match value.example:
        case bool():
            procedure.add_boolean_return_value(*words, False, flags)
        case int():
            procedure.add_int_return_value(*words, *WHOLE, 0, flags)
        case float():
            procedure.add_double_return_value(*words, *REAL, 0.0, flags)
        case str():
            procedure.add_string_return_value(*words, "", flags)
        case list():
            procedure.add_string_array_return_value(*words, flags)
