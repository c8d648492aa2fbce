"""The procedures that make pictures, for GIMP's menus and scripts, as a table, and their creation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gi.repository import Gimp, GObject

from plugin_client.editor.translation import _
from plugin_client.gimp import again_commands, commands, redraw_commands
from plugin_client.gimp.arguments import (
    ASPECT,
    CONVERSION,
    FRAMES,
    FRAMES_AS,
    GROWTH_SIDES,
    INGREDIENTS,
    PROMPT,
    REFINE_SETTINGS,
    REGION,
    REPAINT_SETTINGS,
    SEEN,
    SETTINGS,
    SWEEP,
    SWEEP_SETTINGS,
    TARGET_SIDES,
    TO,
    UPSCALE_SETTINGS,
    VARIATION,
    Argument,
)
from plugin_client.gimp.commands import Call
from plugin_client.wire.settings import Value

BLEND = "kandinsky-blend"
SWEEP_FRAMES = "kandinsky-blend-sweep"
REPAINT = "kandinsky-blend-repaint"
REMOVE = "kandinsky-blend-remove"
REFINE = "kandinsky-blend-refine"
UPSCALE = "kandinsky-blend-upscale"
EXTEND = "kandinsky-blend-extend"
AGAIN = "kandinsky-blend-again"
REDRAWING = (REPAINT, REMOVE, REFINE, UPSCALE, EXTEND)
MENU = "<Image>/Filters/Kandinsky"

WHOLE = (-(2**31), 2**31 - 1)
REAL = (-1e300, 1e300)
_WITH_IMAGE = (
    Gimp.ProcedureSensitivityMask.DRAWABLE
    | Gimp.ProcedureSensitivityMask.DRAWABLES
    | Gimp.ProcedureSensitivityMask.NO_DRAWABLES
)
_ONE_DRAWABLE = Gimp.ProcedureSensitivityMask.DRAWABLE


@dataclass(frozen=True)
class Definition:
    """A procedure that makes a picture."""

    label: str
    blurb: str
    help: str
    arguments: tuple[Argument, ...]
    sensitivity: Gimp.ProcedureSensitivityMask
    run: Callable[[Call], Gimp.Layer]
    dialog_only: tuple[Argument, ...] = ()  # what the dialog remembers and a script does not see


PROCEDURES = {
    BLEND: Definition(
        _("_Blend Layers and Prompts..."),
        _("The picture that lies between layers and prompts, each with a weight, as a new layer"),
        _(
            "Weights are used as they are: 0.5 and 0.5 lie halfway, 1 on one alone is that one, a negative weight "
            "leads away from it. The new layer covers the selection, or the image."
        ),
        (INGREDIENTS, *SETTINGS, CONVERSION),
        _WITH_IMAGE,
        commands.blend_layers_and_prompts,
        dialog_only=(SWEEP, TO, FRAMES, FRAMES_AS, VARIATION),
    ),
    "kandinsky-blend-text-to-image": Definition(
        _("_Text to Image..."),
        _("A picture of what a prompt says, as a new image"),
        _("No image need be open."),
        (PROMPT, *SETTINGS),
        Gimp.ProcedureSensitivityMask.ALWAYS,
        commands.text_to_image,
    ),
    "kandinsky-blend-variations": Definition(
        _("_Variations of this Layer..."),
        _("Pictures of what the model sees in one layer, as new layers"),
        _("Other seeds make other variations."),
        (*SETTINGS, CONVERSION),
        _ONE_DRAWABLE,
        commands.variations,
    ),
    SWEEP_FRAMES: Definition(
        _("_Sweep from Weights to Weights..."),
        _("Pictures from one set of weights to another, as the frames of an animation"),
        _(
            "All frames have the same seed, so only what the weights change moves. Export frames that came as a new "
            "image with File > Export As, as GIF or WebP."
        ),
        (INGREDIENTS, TO, FRAMES, *SWEEP_SETTINGS, FRAMES_AS, CONVERSION),
        _WITH_IMAGE,
        commands.sweep,
    ),
    REPAINT: Definition(
        _("Re_paint Selection..."),
        _("A blend of layers and prompts, drawn into the selection, as a new layer with a mask"),
        _(
            "The selection and its surroundings are sent; its feather becomes the mask of the new layer, which can be "
            "edited. Nothing outside the selection changes."
        ),
        (INGREDIENTS, REGION, SEEN, *REPAINT_SETTINGS, CONVERSION),
        _WITH_IMAGE,
        redraw_commands.repaint,
    ),
    REMOVE: Definition(
        _("Re_move Selection..."),
        _("The surroundings, drawn over what is selected, as a new layer with a mask"),
        _("No words are needed. Nothing outside the selection changes."),
        (SEEN, *REPAINT_SETTINGS, CONVERSION),
        _WITH_IMAGE,
        redraw_commands.remove,
    ),
    REFINE: Definition(
        _("Re_fine Layer..."),
        _("A layer drawn anew from itself, more or less close to it, as a new layer above it"),
        _("Without ingredients the layer itself is what is drawn. A strength of 0 gives it back, 1 keeps nothing."),
        (INGREDIENTS, *REFINE_SETTINGS, CONVERSION),
        _ONE_DRAWABLE,
        redraw_commands.refine,
    ),
    UPSCALE: Definition(
        _("Ups_cale Layer..."),
        _("A layer enlarged to the image's size and drawn anew in tiles, which adds detail, as a new layer above it"),
        _(
            "Without ingredients the layer itself is what is drawn. A strength of 0 enlarges it and no more; much "
            "above the default, each tile shows something of the whole."
        ),
        (INGREDIENTS, *TARGET_SIDES, *UPSCALE_SETTINGS, CONVERSION),
        _ONE_DRAWABLE,
        redraw_commands.upscale,
    ),
    EXTEND: Definition(
        _("_Extend Canvas..."),
        _("The image goes on beyond its edges: by pixels, or to an aspect ratio"),
        _("The image grows together with the new layer, in one undo step. Without ingredients what is there goes on."),
        (INGREDIENTS, *GROWTH_SIDES, ASPECT, *REPAINT_SETTINGS, CONVERSION),
        _WITH_IMAGE,
        redraw_commands.extend,
    ),
    AGAIN: Definition(
        _("_Use These Settings Again..."),
        _("The picture of a layer that Kandinsky Blend made, once more"),
        _("The settings travel with the layer, also through saving. The layers that it was made of are not needed."),
        (CONVERSION,),
        _ONE_DRAWABLE,
        again_commands.again,
    ),
}


def create(plug_in: Gimp.PlugIn, name: str, run: Callable[..., Gimp.ValueArray]) -> Gimp.Procedure:
    """Create the procedure of this name, which calls `run` with its definition last."""
    definition = PROCEDURES[name]
    procedure = Gimp.ImageProcedure.new(plug_in, name, Gimp.PDBProcType.PLUGIN, run, definition)
    procedure.set_sensitivity_mask(definition.sensitivity)
    procedure.set_menu_label(definition.label)
    procedure.add_menu_path(MENU)
    procedure.set_documentation(definition.blurb, definition.help, name)
    procedure.set_attribution("Kandinsky Blend", "Apache-2.0", "2026")
    for argument in definition.arguments:
        add_argument(procedure, argument)
    for argument in definition.dialog_only:
        add_argument(procedure, argument, kind="aux_argument")
    procedure.add_layer_return_value(
        "layer",
        _("Layer"),
        _("The new layer, or the group of them; of frames in a new image the last"),
        False,
        GObject.ParamFlags.READWRITE,
    )
    return procedure


def add_argument(procedure: Gimp.Procedure, argument: Argument, kind: str = "argument") -> None:
    """Add an argument; "aux_argument" is the kind that GIMP remembers and does not show to scripts."""
    words = argument.name, argument.label, argument.help
    value: tuple[Value, ...]
    match argument.default:
        case bool() as default:
            type_, value = "boolean", (default,)
        case int() as default:
            type_, value = "int", (*WHOLE, default)
        case float() as default:
            type_, value = "double", (*REAL, default)
        case str() as default:
            type_, value = "string", (default,)
    getattr(procedure, f"add_{type_}_{kind}")(*words, *value, GObject.ParamFlags.READWRITE)
