"""The procedures that make no picture, as a table, and their making: Daemon Status, and Recover Lost Results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gi.repository import Gimp, GObject

from plugin_client.client import Client
from plugin_client.gimp import claims, lost, report
from plugin_client.gimp.arguments import Argument, Value
from plugin_client.gimp.claims import Held
from plugin_client.gimp.commands import show_progress
from plugin_client.gimp.connection import connect, connect_to_running
from plugin_client.gimp.procedures import MENU, REAL, WHOLE, add_argument
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import DaemonNotRunning, JobFailed, Refused, TransportError, UsageError

Show = Callable[[Gimp.Image], object]
Action = Callable[[Client, Held, Show], Gimp.Layer | None]

STATUS = "kandinsky-blend-status"
RECOVER = "kandinsky-blend-recover"


@dataclass(frozen=True)
class Returned:
    """One value that a script gets; `example` has its type."""

    name: str
    label: str
    help: str
    example: bool | int | float | str | list[str]


@dataclass(frozen=True)
class Service:
    label: str
    blurb: str
    help: str
    arguments: tuple[Argument, ...]
    returned: tuple[Returned, ...]
    run: Callable[[Mapping[str, Value]], tuple[Any, ...]]  # for a script: the values that it gets


def status(values: Mapping[str, Value]) -> tuple[Any, ...]:
    """How the daemon is; none is started for that."""
    try:
        with connect_to_running() as client:
            found = report.ask(client)
    except DaemonNotRunning:
        return tuple(value.example for value in SERVICES[STATUS].returned)
    pong, models = found.pong, [model.name for model in found.models]
    loaded = [model.name for model in found.models if model.loaded]
    hardware = pong.device, pong.precision, float(pong.memory), pong.uptime
    return True, pong.version, *hardware, models, loaded, pong.waiting, pong.running, report.jobs_as_json(found)


def recover(values: Mapping[str, Value], show: Show = lambda image: None) -> tuple[Any, ...]:
    """Open the lost results, or discard them; `show` is called with each image that is made for one."""
    act = _act(str(values[ACTION.name]))
    held = claims.take_lost()
    if not held:
        return "[]", []
    with connect() as client:
        layers = [act(client, one, show) for one in held]
    gone = [one.claim.title for one, layer in zip(held, layers, strict=True) if layer is None]
    return json.dumps([layer.get_id() for layer in layers if layer]), gone


def _act(action: str) -> Action:
    if action not in _ACTIONS:
        raise UsageError(
            _("action is {value!r}: must be one of {choices}").format(value=action, choices=", ".join(_ACTIONS))
        )
    return _ACTIONS[action]


def _open(client: Client, held: Held, show: Show) -> Gimp.Layer | None:
    """The layer; None when there is no result any more."""
    Gimp.progress_init(held.claim.title)
    try:
        result = lost.fetch(client, held, show_progress)
    except (Refused, JobFailed) as exc:
        held.settle(exc)
        return None
    layer = lost.put_home(held, result, show)
    with suppress(TransportError):  # the daemon forgets it by itself in a day
        lost.release(client, held)
    return layer


def _discard(client: Client, held: Held, show: Show) -> None:
    lost.release(client, held)
    held.settle(None)


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
        _("Whether the daemon that makes the pictures runs, what it offers, and what it does"),
        _("Starts no daemon. Where none runs, a script gets running = FALSE, zeros, and empty texts and lists."),
        (),
        (
            Returned("running", _("Running"), _("Whether a daemon runs"), False),
            Returned("version", _("Version"), _("Of the daemon"), ""),
            Returned("device", _("Device"), _("What computes: CPU or Ascend; empty while it is not known"), ""),
            Returned("precision", _("Precision"), _("In which it computes, e.g. float32"), ""),
            Returned("memory", _("Memory"), _("That the models take, in bytes; 0 while it is not known"), 0.0),
            Returned("uptime", _("Uptime"), _("How long it has been running, in seconds"), 0.0),
            Returned("models", _("Models"), _("That it offers, by name; the first is used unless told otherwise"), []),
            Returned("loaded", _("Loaded"), _("Those of them that are in memory"), []),
            Returned("waiting", _("Waiting"), _("How many jobs wait"), 0),
            Returned("working", _("Working"), _("How many jobs are being worked on"), 0),
            Returned(
                "jobs",
                _("Jobs"),
                _("Those that wait or run, as JSON: maps with job, title, state, step, steps, elapsed, remaining (s)"),
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
            Returned("layers", _("Layers"), _("The new layers or groups of them, as JSON: a list of their ids"), "[]"),
            Returned("gone", _("Gone"), _("The titles of the pictures that the daemon no longer has"), []),
        ),
        recover,
    ),
}


def create(plug_in: Gimp.PlugIn, name: str, run: Callable[..., Gimp.ValueArray]) -> Gimp.Procedure:
    """The procedure of this name, which calls `run` with its service last."""
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
    """What `run` returned, as GIMP takes it."""
    return [
        GObject.Value(GObject.TYPE_STRV if isinstance(returned.example, list) else type(returned.example), value)
        for returned, value in zip(service.returned, values, strict=True)
    ]


def _add_returned(procedure: Gimp.Procedure, value: Returned) -> None:
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
