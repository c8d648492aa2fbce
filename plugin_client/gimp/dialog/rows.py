"""The ingredients as rows: what it is, its weight and share, and buttons to order, double and remove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gi.repository import Gimp, Gtk

from plugin_client.gimp.dialog import thumbnails
from plugin_client.gimp.dialog.adding import AddButtons
from plugin_client.gimp.dialog.layer_view import LayerView
from plugin_client.gimp.dialog.weight import WeightSlider
from plugin_client.gimp.dialog.widgets import icon_button, named
from plugin_client.gimp.ingredients import Ingredient, LayerIngredient
from plugin_client.gimp.translation import _
from plugin_client.gimp.weights import onto_last, shares
from plugin_client.wire.limits import MAX_ITEMS
from plugin_client.wire.messages import EmbedsItem, TextItem

MOST_HEIGHT = 300  # px of all rows; beyond it they scroll


@dataclass(frozen=True)
class Entry:
    """What a row stands for: an ingredient, and its weight at the end of a sweep."""

    ingredient: Ingredient
    to: float


class Row(Gtk.Box):
    """One ingredient. Moving, doubling and removing are the list's, and it is told of every other change."""

    def __init__(self, entry: Entry, image: Gimp.Image | None, rows: Rows) -> None:
        super().__init__(spacing=6)
        self.entry = entry
        self._rows = rows
        self._view: LayerView | None = None
        self._start = WeightSlider(_("Weight"), _("Start"), entry.ingredient.weight, self._weighed)
        self._end = WeightSlider(_("Weight at the end"), _("End"), entry.to, self._weighed_at_the_end)
        self._end.set_no_show_all(True)
        self.pack_start(self._what(image), True, True, 0)
        self.pack_start(self._sliders(), False, False, 0)
        self._add_buttons()

    def show_shares(self, at_start: float, at_end: float) -> None:
        self._start.show_share(at_start)
        self._end.show_share(at_end)

    def show_end(self, is_shown: bool) -> None:
        """The weight at the end of a sweep, or that there is none."""
        self._start.caption.set_visible(is_shown)
        self._end.set_no_show_all(not is_shown)
        self._end.show_all()
        self._end.caption.set_visible(is_shown)
        self._end.set_visible(is_shown)

    def move_end(self, to: float) -> None:
        self._end.show_weight(to)

    def refresh(self) -> None:
        """It may have been painted on."""
        if self._view is not None:
            self._view.read_again()

    def _what(self, image: Gimp.Image | None) -> Gtk.Widget:
        match self.entry.ingredient:
            case TextItem(text):
                return self._entry(text)
            case EmbedsItem(label=label):
                return _with_sign(Gtk.Label(label=label or _("A picture of an earlier blend"), xalign=0.0, ellipsize=3))
            case LayerIngredient() as ingredient:
                self._view = LayerView(image, ingredient, self._set)
                return self._view

    def _entry(self, text: str) -> Gtk.Box:
        entry = Gtk.Entry(text=text, placeholder_text=_("A prompt, best in English"), activates_default=True)
        entry.set_valign(Gtk.Align.CENTER)
        entry.connect("changed", lambda entry: self._set(text=entry.get_text()))
        return _with_sign(named(entry, _("Prompt")))

    def _sliders(self) -> Gtk.Box:
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, valign=Gtk.Align.CENTER)
        for slider in (self._start, self._end):
            column.pack_start(slider, False, False, 0)
        return column

    def _add_buttons(self) -> None:
        rows = self._rows
        for icon, name, clicked in (
            ("go-up", _("Move up"), lambda: rows.move(self, -1)),
            ("go-down", _("Move down"), lambda: rows.move(self, 1)),
            ("edit-copy", _("Duplicate"), lambda: rows.duplicate(self)),
            ("edit-delete", _("Remove"), lambda: rows.remove_row(self)),
        ):
            button = icon_button(icon, name, clicked)
            button.set_valign(Gtk.Align.CENTER)
            self.pack_start(button, False, False, 0)

    def _weighed(self, weight: float) -> None:
        self._set(weight=weight)
        if not self._rows.sweeps:
            self._end.show_weight(weight)

    def _weighed_at_the_end(self, to: float) -> None:
        self.entry = replace(self.entry, to=to)
        self._rows.changed()

    def _set(self, **changes: Any) -> None:
        self.entry = replace(self.entry, ingredient=replace(self.entry.ingredient, **changes))
        self._rows.changed()


def _with_sign(widget: Gtk.Widget) -> Gtk.Box:
    """Behind a sign where other rows have a thumbnail."""
    sign = Gtk.Image.new_from_icon_name("gimp-tool-text", Gtk.IconSize.DND)
    sign.set_pixel_size(thumbnails.THUMBNAIL)
    box = Gtk.Box(spacing=6)
    box.pack_start(sign, False, False, 0)
    box.pack_start(widget, True, True, 0)
    return box


class Rows(Gtk.Box):
    """All ingredients. `told` is called with them after each change."""

    def __init__(self, image: Gimp.Image | None, told: Callable[[tuple[Entry, ...]], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._image = image
        self._told = told
        self.sweeps = False  # whether the weights at the end are shown
        self._box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._view = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER)
        self._view.add(self._box)
        self._view.connect("map", lambda _: self._make_room())
        self.pack_start(self._view, True, True, 0)
        self.pack_start(AddButtons(image, self.add_row), False, False, 0)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(row.entry for row in self._box.get_children())

    @property
    def ingredients(self) -> tuple[Ingredient, ...]:
        return tuple(entry.ingredient for entry in self.entries)

    def show_all_of(self, entries: Sequence[Entry]) -> None:
        """Show these instead of those that are there."""
        if tuple(entries) == self.entries:
            return
        for row in self._box.get_children():
            row.destroy()
        for entry in entries:
            self._append(entry)
        self.changed()

    def add_row(self, ingredient: Ingredient) -> None:
        self._add(Entry(ingredient, ingredient.weight))

    def show_ends(self, are_shown: bool) -> None:
        """The weights at the end of a sweep too. Where none of them moves yet, all weight goes onto the last row."""
        self.sweeps = are_shown
        rows = self._box.get_children()
        weights = [row.entry.ingredient.weight for row in rows]
        if are_shown and weights == [row.entry.to for row in rows]:
            for row, to in zip(rows, onto_last(weights), strict=True):
                row.move_end(to)
        for row in rows:
            row.show_end(are_shown)
        self._make_room()

    def move(self, row: Row, by: int) -> None:
        place = self._box.get_children().index(row) + by
        self._box.reorder_child(row, max(0, place))
        self.changed()

    def duplicate(self, row: Row) -> None:
        place = self._box.get_children().index(row) + 1
        self._add(row.entry)
        self._box.reorder_child(self._box.get_children()[-1], place)
        self.changed()

    def remove_row(self, row: Row) -> None:
        row.destroy()
        self.changed()

    def refresh(self) -> None:
        """Read the layers anew: they may have been painted on."""
        if self._image is not None and self._image.is_valid():
            for row in self._box.get_children():
                row.refresh()

    def changed(self) -> None:
        rows = self._box.get_children()
        at_start = shares([row.entry.ingredient.weight for row in rows])
        at_end = shares([row.entry.to for row in rows])
        for row, *percents in zip(rows, at_start, at_end, strict=True):
            row.show_shares(*percents)
        self._make_room()
        self._told(self.entries)

    def _make_room(self) -> None:
        """The window grows with the rows, up to a height, and shrinks with them."""
        _least, natural = self._box.get_preferred_height()
        before, height = self._view.get_min_content_height(), min(natural, MOST_HEIGHT)
        self._view.set_min_content_height(height)
        window = self.get_toplevel()
        if height < before and window.is_toplevel():
            window.resize(window.get_size()[0], 1)

    def _add(self, entry: Entry) -> None:
        if len(self.entries) < MAX_ITEMS:
            self._append(entry)
            self.changed()

    def _append(self, entry: Entry) -> None:
        row = Row(entry, self._image, self)
        self._box.pack_start(row, False, False, 0)
        row.show_all()
        row.show_end(self.sweeps)
