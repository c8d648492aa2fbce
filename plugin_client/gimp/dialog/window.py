"""The dialog: it stays open from one picture to the next, and the artist can paint meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gi.repository import Gimp, Gtk

from plugin_client.editor import ingredients
from plugin_client.editor.blend_pad import Mark, mark_of
from plugin_client.editor.geometry import Area
from plugin_client.editor.ingredients import Ingredient, LayerIngredient
from plugin_client.editor.requests import GenerateRequest, Request
from plugin_client.editor.titles import sweep_title, title
from plugin_client.editor.translation import _
from plugin_client.explore import sheet_of
from plugin_client.gimp.arguments import (
    FRAMES,
    FRAMES_AS,
    INGREDIENTS,
    SETTINGS,
    SWEEP,
    TO,
    VARIATION,
    Conversion,
    blend_of,
    end_weights,
    sweep_of,
)
from plugin_client.gimp.dialog.blend_pad import BlendPad
from plugin_client.gimp.dialog.conversion import ask_conversion
from plugin_client.gimp.dialog.draft_view import DraftView
from plugin_client.gimp.dialog.explore_window import ExploreWindow
from plugin_client.gimp.dialog.generating import PREVIEW_EVERY, GeneratingDialog
from plugin_client.gimp.dialog.history_view import HistoryView
from plugin_client.gimp.dialog.jobs import Preparation, Prepared
from plugin_client.gimp.dialog.rows import SweepIngredient
from plugin_client.gimp.dialog.sweep import SweepBox
from plugin_client.gimp.dialog.widgets import text_button
from plugin_client.gimp.insert import inserting, inserting_frames
from plugin_client.gimp.items import item_reading, items_reading
from plugin_client.gimp.layer_reading import Reading
from plugin_client.gimp.main_loop import Chore, Chores
from plugin_client.gimp.place import NewImage, Target, place_in
from plugin_client.history import KeptResult
from plugin_client.job import BlendResult
from plugin_client.wire.errors import KandinskyError, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Blend, Item, PictureItem
from plugin_client.wire.settings import Value


class BlendDialog(GeneratingDialog):
    """The dialog of kandinsky-blend.

    Args:
        procedure: kandinsky-blend.
        config: its values, which the dialog shows and changes.
        image: that the pictures are for; None is a new one.
        title: of the window: that of the menu entry.
        recipe: the blend that the values are of; its model is chosen once the daemon has told which ones it offers.
    """

    def __init__(
        self,
        procedure: Gimp.Procedure,
        config: Gimp.ProcedureConfig,
        image: Gimp.Image | None,
        title: str,
        recipe: Blend | None = None,
    ) -> None:
        super().__init__(procedure, config, image, title, recipe)
        self._read_items: dict[Ingredient, Item] = {}  # for drafts, by the ingredients with the weight 1
        self._chores = Chores()
        self._drafted: tuple[Ingredient, ...] = ()  # the ingredients of before
        self._pad = BlendPad(self._rows.show_weights, self._bring_back)
        self._draft_view = DraftView(self._background, self._main_loop, self._progress, self._draft_request)
        self._history = HistoryView(self._background, self._progress.preview, self._insert_kept)
        sweep = SweepBox(config, image is not None)
        self._put_together(
            [self._pad, self._draft_row(), self._rows, sweep, self._settings, self._presets, self._history]
        )
        self._show_kept()
        self._show_sweep()
        for name in (INGREDIENTS.name, TO.name):
            config.connect(f"notify::{name}", lambda *_: self._show_kept())
        config.connect(f"notify::{SWEEP.name}", lambda *_: self._show_sweep())
        # What was drawn from another seed has no such number.
        config.connect("notify::seed", lambda *_: config.set_property(VARIATION.name, 0))

    def _close(self) -> None:
        self._chores.clear()
        self._draft_view.cancel()
        super()._close()

    def _look_again(self) -> None:
        self._read_items.clear()
        super()._look_again()
        self._settings.size.refresh()

    def _keep(self, contents: tuple[SweepIngredient, ...]) -> None:
        self._pad.show_ingredients(self._rows.on_the_pad)
        self._follow_with_drafts(tuple(row.ingredient for row in contents))
        with self._config.freeze_notify():
            self._config.set_property(INGREDIENTS.name, ingredients.to_json(row.ingredient for row in contents))
            self._config.set_property(TO.name, json.dumps([row.end_weight for row in contents]))

    def _follow_with_drafts(self, given: tuple[Ingredient, ...]) -> None:
        """Draw a draft once the weights rest, if it is them alone that have changed."""
        before, self._drafted = self._drafted, given
        if given == before:
            return
        if list(map(_unweighted, given)) == list(map(_unweighted, before)):
            self._draft_view.move()
        else:
            self._draft_view.cancel()

    def _draft_request(self) -> GenerateRequest | None:
        """What Generate would make of the values of this moment; None where that is nothing, or several pictures."""
        is_open = self._image is None or self._image.is_valid()
        if self._jobs.is_busy or self._is_sweep or not is_open:
            return None
        try:
            given = ingredients.without_empty(self._rows.ingredients)
            if self._missing(given):
                self._chores.add(self._read_for_drafts(given))
                return None
            items = tuple(replace(self._read_items[_unweighted(one)], weight=one.weight) for one in given)
            values = self._values(self._settings.seed.coming())
            blend = replace(blend_of(items, values, self._settings.size.area), variation=int(values[VARIATION.name]))
        except KandinskyError:
            return None  # Generate says why
        return GenerateRequest((blend,), self._settings.size.area)

    def _read_for_drafts(self, given: Iterable[Ingredient]) -> Chore:
        """Read what is missing for a draft, and then have it drawn."""
        try:
            yield from self._reading_missing(given)
        except KandinskyError:
            return  # Generate says why
        self._draft_view.move()

    def _reading_missing(self, given: Iterable[Ingredient]) -> Chore:
        for one in self._missing(given):
            self._read_items[one] = yield from item_reading(self._image, one)

    def _missing(self, given: Iterable[Ingredient]) -> list[Ingredient]:
        """The ingredients, without their weights, that were not read since the artist came back from the image."""
        return [one for one in map(_unweighted, given) if one not in self._read_items]

    def _draft_row(self) -> Gtk.Box:
        row = Gtk.Box(spacing=12)
        row.pack_start(self._draft_view, True, True, 0)
        explore = text_button(_("Explore"), lambda: self._chores.add(self._explore()))
        explore.set_tooltip_text(_("Draws 25 drafts between the ingredients; a click on one takes its weights"))
        row.pack_start(explore, False, False, 0)
        return row

    def _explore(self) -> Chore:
        """Read what the drafts need, and show a sheet of them."""
        self._draft_view.cancel()
        try:
            yield from self._reading_missing(ingredients.without_empty(self._rows.ingredients))
            request = self._draft_request()
            if request is None:
                self._progress.say(_("There is nothing to explore while a picture is made, or in a sweep."))
                return
            rows = sheet_of(request.blends[0])
        except KandinskyError as exc:
            self._progress.say(exc.render(_))
            return
        ExploreWindow(self._dialog, self._background, rows, request.area, lambda cell: self._bring_back(mark_of(cell)))

    def _bring_back(self, mark: Mark) -> None:
        """Set the weights and the seed of a result."""
        self._rows.show_weights(mark.weights)
        self._config.set_property("seed", float(mark.seed))

    def _show_kept(self) -> None:
        """Show the ingredients in the values, which Reset and Load have changed."""
        try:
            kept = ingredients.parse(self._config.get_property(INGREDIENTS.name) or "")
        except UsageError:
            kept = ()
        weights = weights_at_the_end(self._config.get_property(TO.name) or "", [one.weight for one in kept])
        self._rows.show_contents([SweepIngredient(one, weight) for one, weight in zip(kept, weights, strict=True)])

    def _show_sweep(self) -> None:
        is_sweep = self._config.get_property(SWEEP.name)
        self._rows.show_ends(is_sweep)
        self._settings.allow("count", not is_sweep)  # a frame is one picture

    def _generate(self) -> None:
        self._draft_view.cancel()
        super()._generate()

    def _ordered(self) -> Preparation | None:
        if self._image is not None and not self._image.is_valid():
            raise UsageError(N_("the image was closed: open this dialog from another one"))
        given = self._rows.ingredients
        ingredients.without_empty(given)
        conversion: Conversion | None = "new-image"
        if self._image is not None and not self._opens_an_image:
            conversion = ask_conversion(self._dialog, self._image)
        if conversion is None:
            return None
        return self._prepare(
            given, self._values(self._settings.seed.next()), self._settings.size.area, self._place(conversion)
        )

    def _prepare(
        self, given: tuple[Ingredient, ...], values: dict[str, Value], area: Area, place: Target
    ) -> Preparation:
        """Read the layers one by one, in strips."""
        said = ingredients.without_empty(given)
        items = yield from items_reading(self._image, said)
        if values[SWEEP.name]:
            blends = sweep_of(items, end_weights(values, given), values, area)
        else:
            blends = (replace(blend_of(items, values, area), variation=int(values[VARIATION.name])),)
        request = GenerateRequest(tuple(replace(blend, preview_every=PREVIEW_EVERY) for blend in blends), area)
        return Prepared(request, place, tuple(_remarks(said, items)))

    @property
    def _is_sweep(self) -> bool:
        return bool(self._config.get_property(SWEEP.name))

    @property
    def _opens_an_image(self) -> bool:
        """Whether the pictures come as a new image."""
        return self._image is None or (self._is_sweep and self._config.get_property(FRAMES_AS.name) == "new-image")

    def _place(self, conversion: Conversion) -> Target:
        if self._image is None:
            return None
        if self._opens_an_image:
            return NewImage(self._settings.size.area)
        place = place_in(self._image, conversion)
        if not self._settings.size.covers_image:
            return place
        if isinstance(place, NewImage):
            return NewImage(self._settings.size.area)
        return replace(place, area=self._settings.size.area, selection=None)

    def _values(self, seed: float) -> dict[str, Value]:
        names = [argument.name for argument in (*SETTINGS, TO, FRAMES, SWEEP, VARIATION)]
        values = {name: self._config.get_property(name) for name in names}
        values["seed"] = seed
        return {name: "" if value is None else value for name, value in values.items()}

    def _insert(self, result: BlendResult, prepared: Prepared, took: str) -> Reading[str]:
        """Insert a result, or leave it among those that are kept where the artist wants it so."""
        is_sweep = prepared.request.is_sweep
        keep = self._history.add_sweep if is_sweep else self._history.add_results
        keep(result)
        if not self._history.inserts_by_itself:
            self._show_result(result, prepared)
            words = _("Done in {time}: {layer}. It waits among the results.")
            name = sweep_title(result.recipes[0], result.recipes[-1]) if is_sweep else title(result.recipes[0])
            return words.format(time=took, layer=name)
        put = inserting_frames if is_sweep else inserting
        layer = self._last = yield from put(result, prepared.place, Gimp.Display.new)
        yield
        Gimp.displays_flush()
        yield
        self._show_result(result, prepared)
        sentences = self._sentences_about(layer, result, prepared.request, took)
        return " ".join([*sentences, *self._warnings(result)])

    def _show_result(self, result: BlendResult, prepared: Prepared) -> None:
        self._progress.preview.show_picture(result.pictures[0])
        if isinstance(prepared.request, GenerateRequest):
            self._pad.add_mark(mark_of(prepared.request.blends[0]))

    def _insert_kept(self, kept: KeptResult) -> None:
        """Insert one of the results that are kept, as if it had just been made."""
        conversion: Conversion | None = "new-image"
        is_open = self._image is not None and self._image.is_valid()
        if is_open and not self._opens_an_image:
            conversion = ask_conversion(self._dialog, self._image)
        if conversion is not None:
            self._chores.add(self._inserting_kept(kept, self._place(conversion) if is_open else None))

    def _inserting_kept(self, kept: KeptResult, place: Target) -> Chore:
        put = inserting_frames if kept.is_sweep else inserting
        self._last = yield from put(BlendResult(kept.pictures, list(kept.recipes), ()), place, Gimp.Display.new)
        yield
        Gimp.displays_flush()

    def _sentences_about(self, layer: Gimp.Layer, result: BlendResult, request: Request, took: str) -> list[str]:
        """Sentences about the layer that was just made."""
        # The last frame in a new image stands for all of them.
        name = sweep_title(result.recipes[0], result.recipes[-1]) if request.is_sweep else layer.get_name()
        done = _("Done in {time}: {layer}.").format(time=took, layer=name)
        is_exportable = request.is_sweep and not layer.is_group()
        return [done, _("File > Export As makes an animation of it.")] if is_exportable else [done]


def _unweighted(one: Ingredient) -> Ingredient:
    return replace(one, weight=1.0)


def _remarks(given: Sequence[Ingredient], items: Sequence[Item]) -> Iterator[str]:
    """Sentences about ingredients that are not sent as the artist has set them."""
    for one, item in zip(given, items, strict=True):
        if isinstance(one, LayerIngredient) and isinstance(item, PictureItem) and item.fit != one.fit:
            yield _("{layer} is a long strip: it was padded to a square instead of cut.").format(layer=item.label)


def weights_at_the_end(text: str, weights: Sequence[float]) -> list[float]:
    """The list in `text`, or where it does not fit the ingredients the `weights` that they have."""
    try:
        to = [float(weight) for weight in ingredients.json_list(text, TO.name)]
    except (UsageError, TypeError, ValueError):
        to = []
    return to if len(to) == len(weights) else list(weights)
