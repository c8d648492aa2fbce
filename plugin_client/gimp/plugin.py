"""The plug-in that GIMP calls: it lists and creates the procedures, runs them, and reports their errors."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence

from gi.repository import Gegl, Gimp, GLib, GObject

from plugin_client.editor import ingredients
from plugin_client.editor.translation import _
from plugin_client.gimp import procedures, services
from plugin_client.gimp.again_commands import procedure_of
from plugin_client.gimp.arguments import INGREDIENTS, PROMPT, Argument
from plugin_client.gimp.commands import Call, one_layer
from plugin_client.gimp.insert import leave_to_the_script
from plugin_client.gimp.procedures import AGAIN, BLEND, REDRAWING, Definition
from plugin_client.gimp.services import Service
from plugin_client.wire.errors import JobCancelled, KandinskyError, UsageError
from plugin_client.wire.settings import Value

Status = Gimp.PDBStatusType


class KandinskyBlend(Gimp.PlugIn):
    def do_query_procedures(self) -> list[str]:
        return [*procedures.PROCEDURES, *services.SERVICES]

    def do_set_i18n(self, name: str) -> bool:
        return False  # translation.py does it

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        if name in services.SERVICES:
            return services.create(self, name, serve)
        return procedures.create(self, name, run)


def run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image | None,
    drawables: Sequence[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    definition: Definition,
) -> Gimp.ValueArray:
    """Run a procedure that makes a picture, and return its values and status to GIMP."""
    Gegl.init(None)
    on_new_image = leave_to_the_script if run_mode == Gimp.RunMode.NONINTERACTIVE else Gimp.Display.new
    call = Call(image, drawables, _values(config, definition.arguments), on_new_image)

    def act() -> Gimp.ValueArray:
        if run_mode == Gimp.RunMode.INTERACTIVE:
            return _closed(procedure, _show_dialog(procedure, call, config), call)
        return _success(GObject.Value(Gimp.Layer, definition.run(call)))

    return _report_errors(procedure, act)


def serve(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, service: Service) -> Gimp.ValueArray:
    """Run a procedure that makes no picture, and return its values and status to GIMP."""
    Gegl.init(None)
    values = _values(config, service.arguments)

    def act() -> Gimp.ValueArray:
        if config.get_property("run-mode") == Gimp.RunMode.INTERACTIVE:
            from plugin_client.gimp.dialog.services import SHOWN  # Gtk: see _show_dialog

            SHOWN[procedure.get_name()](values)
            return procedure.new_return_values(Status.SUCCESS, None)
        return _success(*services.values_of(service, service.run(values)))

    return _report_errors(procedure, act)


def _report_errors(procedure: Gimp.Procedure, act: Callable[[], Gimp.ValueArray]) -> Gimp.ValueArray:
    """The values that `act` returns, or the error that it raises in the form in which GIMP shows it."""
    try:
        return act()
    except JobCancelled:
        return procedure.new_return_values(Status.CANCEL, None)
    except UsageError as exc:
        return _failure(procedure, Status.CALLING_ERROR, exc.render(_))
    except KandinskyError as exc:
        return _failure(procedure, Status.EXECUTION_ERROR, exc.render(_))
    except Exception as exc:  # noqa: BLE001 - GIMP would show an empty window, and the reason nowhere
        traceback.print_exc()
        return _failure(
            procedure,
            Status.EXECUTION_ERROR,
            _("Kandinsky Blend failed: {reason}").format(reason=f"{type(exc).__name__}: {exc}"),
        )


def _show_dialog(procedure: Gimp.Procedure, call: Call, config: Gimp.ProcedureConfig) -> Gimp.Layer | None:
    """Show the dialog of kandinsky-blend, and copy to the procedure's own config the values that both have."""
    # Gtk wants a display from its import on, which a script's GIMP has not.
    from gi.repository import GimpUi

    from plugin_client.gimp.dialog.openings import open_dialog, open_redraw, redraw_recipe

    GimpUi.init(BLEND)
    name = procedure.get_name()
    if name == BLEND:
        return open_dialog(name, call, procedure, config)
    if name in REDRAWING:
        return open_redraw(procedure, config, call)
    if name == AGAIN and (recipe := redraw_recipe(call)):
        shown = procedures.create(procedure.get_plug_in(), procedure_of(one_layer(call), recipe), run)
        return open_redraw(shown, shown.create_config(), call, recipe)
    shown = procedures.create(procedure.get_plug_in(), BLEND, run)
    values = shown.create_config()
    layer = open_dialog(name, call, shown, values)
    for argument in procedures.PROCEDURES[name].arguments:
        if values.find_property(argument.name):  # what was shown is what Repeat uses
            config.set_property(argument.name, values.get_property(argument.name))
    if config.find_property(PROMPT.name):
        config.set_property(PROMPT.name, ingredients.first_prompt(values.get_property(INGREDIENTS.name) or ""))
    return layer


def _closed(procedure: Gimp.Procedure, layer: Gimp.Layer | None, call: Call) -> Gimp.ValueArray:
    """The status of a dialog that was closed: SUCCESS, after which GIMP remembers the values, if it made a layer.

    GIMP keeps them in the image too, and complains with an error of its own where that was closed meanwhile.
    """
    is_image_gone = call.image is not None and not call.image.is_valid()
    if layer is None or not layer.is_valid() or is_image_gone:
        return procedure.new_return_values(Status.CANCEL, None)
    return _success(GObject.Value(Gimp.Layer, layer))


def _values(config: Gimp.ProcedureConfig, arguments: Iterable[Argument]) -> dict[str, Value]:
    return {argument.name: _value(config, argument) for argument in arguments}


def _value(config: Gimp.ProcedureConfig, argument: Argument) -> Value:
    value = config.get_property(argument.name)
    return argument.default if value is None else value  # GIMP makes None of ""


def _success(*values: GObject.Value) -> Gimp.ValueArray:
    return Gimp.ValueArray.new_from_values([GObject.Value(Status, Status.SUCCESS), *values])


def _failure(procedure: Gimp.Procedure, status: Gimp.PDBStatusType, message: str) -> Gimp.ValueArray:
    return procedure.new_return_values(status, GLib.Error(message))
