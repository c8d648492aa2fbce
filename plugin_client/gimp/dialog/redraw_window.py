"""The dialogs that draw into an image: each stays open from one picture to the next, as the one for blends does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from gi.repository import Gimp, Gtk

from plugin_client.editor import ingredients
from plugin_client.editor.capabilities import DaemonCapabilities, check_able
from plugin_client.editor.ingredients import Ingredient, LayerIngredient
from plugin_client.editor.requests import RedrawRequest
from plugin_client.editor.titles import scaled_line
from plugin_client.editor.translation import _
from plugin_client.gimp import redraw_commands
from plugin_client.gimp.arguments import CONVERSION, INGREDIENTS, Argument, Conversion, redraw_with
from plugin_client.gimp.commands import Call, image_of
from plugin_client.gimp.dialog.conversion import ask_conversion
from plugin_client.gimp.dialog.generating import PREVIEW_EVERY, GeneratingDialog
from plugin_client.gimp.dialog.jobs import Preparation, Prepared
from plugin_client.gimp.dialog.region import (
    GrowingRegion,
    LayerRegion,
    RegionBox,
    RepaintRegion,
    SelectedRegion,
    TargetRegion,
)
from plugin_client.gimp.dialog.rows import SweepIngredient
from plugin_client.gimp.dialog.settings import ASKED
from plugin_client.gimp.insert import inserting
from plugin_client.gimp.items import items_reading
from plugin_client.gimp.layer_reading import Reading
from plugin_client.gimp.procedures import EXTEND, PROCEDURES, REFINE, REMOVE, REPAINT, UPSCALE
from plugin_client.gimp.redraw_commands import FindPart
from plugin_client.job import BlendResult
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Blend, Redraw, Refine, Repaint, TextItem, Upscale
from plugin_client.wire.settings import SettingField, Value, redraw_settings


@dataclass(frozen=True)
class Form:
    """What one of the dialogs has of its own."""

    request: type[Redraw]
    region: Callable[[Gimp.ProcedureConfig, Call], RegionBox]
    find: FindPart
    proposed: tuple[Ingredient, ...] = ()  # where nothing was drawn before


FORMS = {
    REPAINT: Form(Repaint, RepaintRegion, redraw_commands.repaint_part, (TextItem("", 1.0),)),
    REMOVE: Form(Repaint, SelectedRegion, redraw_commands.repaint_part),
    REFINE: Form(Refine, LayerRegion, redraw_commands.refine_part),
    UPSCALE: Form(Upscale, TargetRegion, redraw_commands.upscale_part),
    EXTEND: Form(Repaint, GrowingRegion, redraw_commands.extend_part, (TextItem("", 1.0),)),
}


KINDS = {cls.kind: cls for cls in get_args(Redraw)}
_SIZE = ("width", "height")  # of which these dialogs have none


class RedrawDialog(GeneratingDialog):
    """The dialog of one of FORMS.

    Args:
        procedure: whose values the dialog shows and changes.
        config: these values.
        call: with the image, and the layers that were selected when the dialog was opened.
        title: of the window.
        recipe: the blend that the values are of; its model is chosen once the daemon has told which ones it offers.
    """

    def __init__(
        self,
        procedure: Gimp.Procedure,
        config: Gimp.ProcedureConfig,
        call: Call,
        title: str,
        recipe: Blend | None = None,
    ) -> None:
        self._name = procedure.get_name()
        self._form = FORMS[self._name]
        self._own = redraw_settings(self._form.request)
        super().__init__(procedure, config, image_of(call), title, recipe, self._own)
        self._call = call
        self._is_able = True  # the chosen model, as far as is known
        self._region = self._form.region(config, call)
        self._settings.leave_size_to_the_model()
        if self._has_ingredients:
            self._put_together([self._region, self._rows, self._settings, self._presets])
            self._show_kept()
            config.connect(f"notify::{INGREDIENTS.name}", lambda *_: self._show_kept())
        else:
            self._put_together([self._region, self._settings, self._presets])
        for name in ("model", *self._region.choosing):
            config.connect(f"notify::{name}", lambda *_: self._follow_the_choice())
        self._follow_the_choice()

    @property
    def _has_ingredients(self) -> bool:
        return INGREDIENTS in self._arguments

    @property
    def _preset_fields(self) -> list[SettingField]:
        return [one for one in (*self._own, *ASKED) if one.name not in _SIZE]

    def _show_prompts(self, prompts: Sequence[TextItem]) -> None:
        if self._has_ingredients:
            super()._show_prompts(prompts)

    @property
    def _arguments(self) -> tuple[Argument, ...]:
        return PROCEDURES[self._name].arguments

    def _look_again(self) -> None:
        super()._look_again()
        self._region.refresh()

    def _show_capabilities(self, known: DaemonCapabilities) -> None:
        super()._show_capabilities(known)
        self._region.suit(known.models)
        self._say_whether_able()

    def _follow_the_choice(self) -> None:
        """Offer what the kind of request has that comes of the fields."""
        for one in self._own:
            if one.setting.is_advanced:
                self._settings.allow(one.name, one in redraw_settings(KINDS[self._region.kind]))
        self._say_whether_able()

    def _say_whether_able(self) -> None:
        """Let no picture be asked for that the chosen model cannot make, and say why."""
        try:
            self._check_able()
        except UsageError as exc:
            self._progress.say(exc.render(_))
            self._dialog.set_response_sensitive(Gtk.ResponseType.OK, False)
            self._is_able = False
        else:
            if not self._is_able:
                self._progress.say("")
            self._dialog.set_response_sensitive(Gtk.ResponseType.OK, True)
            self._is_able = True

    def _check_able(self) -> None:
        """Check that the chosen model can draw what the fields come to. Errors as of check_able."""
        check_able(self._settings.capabilities.models, self._config.get_property("model") or "", self._region.kind)

    def _keep(self, contents: tuple[SweepIngredient, ...]) -> None:
        if self._has_ingredients:
            self._config.set_property(INGREDIENTS.name, ingredients.to_json(row.ingredient for row in contents))

    def _show_kept(self) -> None:
        """Show the ingredients in the values, which Reset and Load have changed."""
        try:
            kept = ingredients.parse(self._config.get_property(INGREDIENTS.name) or "")
        except UsageError:
            kept = self._form.proposed
        there = [one for one in kept if not isinstance(one, LayerIngredient) or self._is_there(one)]
        self._rows.show_contents([SweepIngredient(one, one.weight) for one in there])

    def _is_there(self, ingredient: LayerIngredient) -> bool:
        image = image_of(self._call)
        return image.is_valid() and image.get_layer_by_tattoo(ingredient.layer) is not None

    def _ordered(self) -> Preparation | None:
        if not image_of(self._call).is_valid():
            raise UsageError(N_("the image was closed: open this dialog from another one"))
        self._check_able()
        given = self._rows.ingredients
        if self._name == REPAINT:
            ingredients.without_empty(given)
        conversion = ask_conversion(self._dialog, self._image)
        if conversion is None:
            return None
        return self._prepare(ingredients.that_say_something(given), self._values(conversion))

    def _prepare(self, given: tuple[Ingredient, ...], values: dict[str, Value]) -> Preparation:
        """Read the image."""
        part = yield from self._form.find(replace(self._call, values=values))
        items = yield from items_reading(self._image, given)
        redraw = redraw_with(part.kind, part.given, items, values)
        return Prepared(RedrawRequest(replace(redraw, preview_every=PREVIEW_EVERY)), part.place)

    def _values(self, conversion: Conversion) -> dict[str, Value]:
        values = {one.name: self._config.get_property(one.name) for one in self._arguments}
        known = {one.name: one.default if values[one.name] is None else values[one.name] for one in self._arguments}
        return {**known, "seed": self._settings.seed.next(), CONVERSION.name: conversion}

    def _insert(self, result: BlendResult, prepared: Prepared, took: str) -> Reading[str]:
        layer = self._last = yield from inserting(result, prepared.place, Gimp.Display.new)
        yield
        Gimp.displays_flush()
        yield
        self._region.refresh()
        self._progress.preview.show_picture(result.pictures[0])
        done = _("Done in {time}: {layer}.").format(time=took, layer=layer.get_name())
        scaled = scaled_line(result.recipes[0], prepared.place.area) if prepared.place else ""
        return " ".join(filter(None, [done, scaled, *self._warnings(result)]))
