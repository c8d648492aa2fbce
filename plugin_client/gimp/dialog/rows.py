"""The ingredients as rows: a layer or prompt, its weight and share, and buttons to move, duplicate and remove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gi.repository import Gimp, GLib, Gtk

from plugin_client.editor.ingredients import Ingredient, LayerIngredient, are_empty
from plugin_client.editor.translation import _
from plugin_client.editor.weights import onto_last, shares
from plugin_client.gimp.dialog import thumbnails
from plugin_client.gimp.dialog.adding import AddButtons
from plugin_client.gimp.dialog.layer_view import LayerView
from plugin_client.gimp.dialog.pad_handles import PadIngredient
from plugin_client.gimp.dialog.prompt import PromptField
from plugin_client.gimp.dialog.weight import WeightSlider
from plugin_client.gimp.dialog.widgets import bring_into_sight, icon_button
from plugin_client.gimp.main_loop import Chores
from plugin_client.wire.limits import MAX_ITEMS
from plugin_client.wire.messages import EmbedsItem, TextItem
from plugin_client.wire.titles import picture_name, prompt_name


@dataclass(frozen=True)
class SweepIngredient:
    """An ingredient, and its weight at the end of a sweep."""

    ingredient: Ingredient
    end_weight: float


class IngredientRow(Gtk.Box):
    """The widgets of one ingredient. They call `rows` for every change, which moves, doubles and removes the row."""

    def __init__(self, content: SweepIngredient, image: Gimp.Image | None, rows: IngredientRows) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=2)
        self.content = content
        self._rows = rows
        self._view: LayerView | None = None
        self._start = WeightSlider(_("Weight"), _("Start"), content.ingredient.weight, self._weighed)
        self._end = WeightSlider(_("Weight at the end"), _("End"), content.end_weight, self._weighed_at_the_end)
        self._end.set_no_show_all(True)
        head = Gtk.Box(spacing=2)
        head.pack_start(self._what(image), True, True, 0)
        self._add_buttons(head)
        self.pack_start(head, False, False, 0)
        for slider in (self._start, self._end):
            self.pack_start(slider, False, False, 0)

    def take_focus(self) -> None:
        """Have what is typed next go to the prompt, or to the weight of a layer."""
        self._field.grab_focus()

    def show_shares(self, at_start: float, at_end: float) -> None:
        self._start.show_share(at_start)
        self._end.show_share(at_end)

    def show_end(self, is_shown: bool) -> None:
        """Show or hide the weight at the end of a sweep."""
        self._start.caption.set_visible(is_shown)
        self._end.set_no_show_all(not is_shown)
        self._end.show_all()
        self._end.caption.set_visible(is_shown)
        self._end.set_visible(is_shown)

    def show_weight(self, weight: float) -> None:
        self._start.show_weight(weight)

    @property
    def name(self) -> str:
        """A few words that tell it from the others."""
        match self.content.ingredient:
            case TextItem(text):
                return prompt_name(text, _)
            case EmbedsItem(label=label):
                return picture_name(label, _)
            case _:
                return picture_name(self._view.name, _) if self._view else ""

    @property
    def on_the_pad(self) -> PadIngredient:
        picture = self._view.thumbnail if self._view else None
        return PadIngredient(self.name, self.content.ingredient.weight, picture)

    def show_end_weight(self, weight: float) -> None:
        self._end.show_weight(weight)

    def refresh(self) -> None:
        """Read the layer anew: it may have been painted on."""
        if self._view is not None:
            self._view.read_again()

    @property
    def is_empty(self) -> bool:
        """Whether it is a prompt that waits for its words."""
        return are_empty([self.content.ingredient]) == [True]

    def _what(self, image: Gimp.Image | None) -> Gtk.Widget:
        self._field: Gtk.Widget = self._start
        match self.content.ingredient:
            case TextItem(text):
                field = PromptField(text, lambda text: self._set(text=text))
                self._field = field.view
                return _with_sign(field)
            case EmbedsItem(label=label):
                return _with_sign(Gtk.Label(label=label or _("A picture of an earlier blend"), xalign=0.0, ellipsize=3))
            case LayerIngredient() as ingredient:
                self._view = LayerView(image, ingredient, self._rows.chores, self._set)
                return self._view

    def _add_buttons(self, box: Gtk.Box) -> None:
        rows = self._rows
        for icon, name, clicked in (
            ("go-up", _("Move up"), lambda: rows.move(self, -1)),
            ("go-down", _("Move down"), lambda: rows.move(self, 1)),
            ("edit-copy", _("Duplicate"), lambda: rows.duplicate(self)),
            ("edit-delete", _("Remove"), lambda: rows.remove_row(self)),
        ):
            button = icon_button(icon, name, clicked)
            button.set_valign(Gtk.Align.START)
            box.pack_start(button, False, False, 0)

    def _weighed(self, weight: float) -> None:
        self._set(weight=weight)
        if not self._rows.sweeps:
            self._end.show_weight(weight)

    def _weighed_at_the_end(self, weight: float) -> None:
        self.content = replace(self.content, end_weight=weight)
        self._rows.changed()

    def _set(self, **changes: Any) -> None:
        self.content = replace(self.content, ingredient=replace(self.content.ingredient, **changes))
        self._rows.changed()


def _with_sign(widget: Gtk.Widget) -> Gtk.Box:
    """A box with an icon, where other rows have a thumbnail, and the widget."""
    sign = Gtk.Image.new_from_icon_name("gimp-tool-text", Gtk.IconSize.DND)
    sign.set_pixel_size(thumbnails.THUMBNAIL)
    box = Gtk.Box(spacing=6)
    box.pack_start(sign, False, False, 0)
    box.pack_start(widget, True, True, 0)
    return box


class IngredientRows(Gtk.Box):
    """All ingredients. `on_change` is called with them after each change."""

    def __init__(self, image: Gimp.Image | None, on_change: Callable[[tuple[SweepIngredient, ...]], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._image = image
        self._on_change = on_change
        self.sweeps = False  # whether the weights at the end are shown
        self.chores = Chores(GLib.PRIORITY_LOW)  # of the rows
        self._box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12)
        self.pack_start(self._box, False, False, 0)
        self.pack_start(AddButtons(image, self.add_row), False, False, 0)

    @property
    def contents(self) -> tuple[SweepIngredient, ...]:
        return tuple(row.content for row in self._box.get_children())

    @property
    def ingredients(self) -> tuple[Ingredient, ...]:
        return tuple(content.ingredient for content in self.contents)

    @property
    def on_the_pad(self) -> list[PadIngredient]:
        return [row.on_the_pad for row in self._box.get_children()]

    def show_weights(self, weights: Sequence[float]) -> None:
        """Give each ingredient a weight, as if it had been typed."""
        for row, weight in zip(self._box.get_children(), weights, strict=True):
            row.show_weight(weight)

    def show_contents(self, contents: Sequence[SweepIngredient]) -> None:
        """Show these instead of those that are there."""
        if tuple(contents) == self.contents:
            return
        for row in self._box.get_children():
            row.destroy()
        for content in contents:
            self._append(content)
        self.changed()

    def add_row(self, ingredient: Ingredient) -> None:
        self._add(SweepIngredient(ingredient, ingredient.weight))
        row = self._box.get_children()[-1]
        row.take_focus()
        GLib.idle_add(bring_into_sight, row)  # which has its place only then

    def take_focus(self) -> None:
        """Have what is typed next go to the first prompt without words, or else to the first row."""
        rows = self._box.get_children()
        for row in [row for row in rows if row.is_empty] or rows[:1]:
            row.take_focus()
            return

    def show_ends(self, are_shown: bool) -> None:
        """Show or hide the weights at the end of a sweep; if none differs yet, all weight goes to the last."""
        self.sweeps = are_shown
        rows = self._box.get_children()
        weights = [row.content.ingredient.weight for row in rows]
        if are_shown and weights == [row.content.end_weight for row in rows]:
            for row, weight in zip(rows, onto_last(weights), strict=True):
                row.show_end_weight(weight)
        for row in rows:
            row.show_end(are_shown)

    def move(self, row: IngredientRow, by: int) -> None:
        place = self._box.get_children().index(row) + by
        self._box.reorder_child(row, max(0, place))
        self.changed()

    def duplicate(self, row: IngredientRow) -> None:
        place = self._box.get_children().index(row) + 1
        self._add(row.content)
        self._box.reorder_child(self._box.get_children()[-1], place)
        self.changed()

    def remove_row(self, row: IngredientRow) -> None:
        row.destroy()
        self.changed()

    def refresh(self) -> None:
        """Read the layers anew: they may have been painted on."""
        if self._image is not None and self._image.is_valid():
            for row in self._box.get_children():
                row.refresh()

    def changed(self) -> None:
        rows = self._box.get_children()
        at_start = shares([row.content.ingredient.weight for row in rows])
        at_end = shares([row.content.end_weight for row in rows])
        for row, *percents in zip(rows, at_start, at_end, strict=True):
            row.show_shares(*percents)
        self._on_change(self.contents)

    def _add(self, content: SweepIngredient) -> None:
        if len(self.contents) < MAX_ITEMS:
            self._append(content)
            self.changed()

    def _append(self, content: SweepIngredient) -> None:
        row = IngredientRow(content, self._image, self)
        self._box.pack_start(row, False, False, 0)
        row.show_all()
        row.show_end(self.sweeps)
