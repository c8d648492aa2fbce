"""The ingredients as rows: what it is, its weight and share, and buttons to order, double and remove it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from gi.repository import Gimp, Gtk

from plugin_client.gimp.dialog import thumbnails
from plugin_client.gimp.dialog.widgets import choice, icon_button, named, text_button
from plugin_client.gimp.ingredients import Ingredient, LayerIngredient
from plugin_client.gimp.pixels import layer_of, read_layer
from plugin_client.gimp.translation import _
from plugin_client.gimp.weights import even, shares
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.limits import MAX_ITEMS
from plugin_client.wire.messages import EmbedsItem, Fit, TextItem

SLIDER = (-1.0, 2.0, 0.01)  # lowest, highest, step; a script may go further

_FITS = {"crop": _("Crop the centre"), "pad": _("Pad"), "stretch": _("Stretch")}


class Row(Gtk.Box):
    """One ingredient. `moved`, `doubled` and `removed` are the list's; `changed` tells it of everything else."""

    def __init__(self, ingredient: Ingredient, image: Gimp.Image | None, rows: Rows) -> None:
        super().__init__(spacing=6)
        self.ingredient = ingredient
        self._image = image
        self._rows = rows
        self._thumbnail = Gtk.Image()
        self._share = Gtk.Label(width_chars=6, xalign=1.0)
        self._slider = self._make_slider()
        self.pack_start(self._thumbnail, False, False, 0)
        self.pack_start(self._what(), True, True, 0)
        self.pack_start(self._slider, False, False, 0)
        self.pack_start(self._share, False, False, 0)
        self._add_buttons()
        self.show_thumbnail()

    def show_share(self, percent: float) -> None:
        self._share.set_text(_("{percent} %").format(percent=f"{percent:.0f}"))

    def show_thumbnail(self) -> None:
        """Of a layer what the model sees; of anything else a sign."""
        if not isinstance(self.ingredient, LayerIngredient) or self._image is None:
            self._thumbnail.set_from_icon_name("gimp-tool-text", Gtk.IconSize.DND)
            self._thumbnail.set_pixel_size(thumbnails.THUMBNAIL)
            return
        try:
            item = self.ingredient.item(read_layer(layer_of(self._image, self.ingredient.layer)), "")
        except KandinskyError as exc:
            self._thumbnail.set_from_icon_name("dialog-warning", Gtk.IconSize.DND)
            named(self._thumbnail, str(exc))
        else:
            self._thumbnail.set_from_pixbuf(thumbnails.as_seen(item))
            named(self._thumbnail, _("What the model sees of it"))

    def _what(self) -> Gtk.Widget:
        match self.ingredient:
            case TextItem(text):
                return self._entry(text)
            case EmbedsItem(label=label):
                return Gtk.Label(label=label or _("A picture of an earlier blend"), xalign=0.0)
            case LayerIngredient(layer=tattoo, fit=fit):
                return self._layer_box(tattoo, fit)

    def _entry(self, text: str) -> Gtk.Entry:
        entry = Gtk.Entry(text=text, placeholder_text=_("A prompt, best in English"), activates_default=True)
        entry.connect("changed", lambda entry: self._set(text=entry.get_text()))
        return named(entry, _("Prompt"))

    def _layer_box(self, tattoo: int, fit: Fit) -> Gtk.Box:
        box = Gtk.Box(spacing=6)
        layer = self._image.get_layer_by_tattoo(tattoo) if self._image else None
        name = layer.get_name() if layer else _("This layer is gone")
        box.pack_start(Gtk.Label(label=name, xalign=0.0, ellipsize=3, width_chars=14), True, True, 0)
        combo = choice(_("Fit of {layer}").format(layer=name), [(fit, _FITS[fit]) for fit in get_args(Fit)], fit)
        combo.connect("changed", lambda combo: self._set(fit=combo.get_active_id()))
        box.pack_start(combo, False, False, 0)
        return box

    def _make_slider(self) -> Gtk.Scale:
        slider = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, *SLIDER)
        slider.set_value(self.ingredient.weight)
        slider.set_size_request(150, -1)
        slider.set_value_pos(Gtk.PositionType.RIGHT)
        slider.add_mark(0.0, Gtk.PositionType.BOTTOM, None)
        slider.connect("value-changed", lambda slider: self._set(weight=round(slider.get_value(), 2)))
        return named(slider, _("Weight"))

    def _add_buttons(self) -> None:
        rows = self._rows
        for icon, name, clicked in (
            ("go-up", _("Move up"), lambda: rows.move(self, -1)),
            ("go-down", _("Move down"), lambda: rows.move(self, 1)),
            ("edit-copy", _("Duplicate"), lambda: rows.duplicate(self)),
            ("edit-delete", _("Remove"), lambda: rows.remove_row(self)),
        ):
            self.pack_start(icon_button(icon, name, clicked), False, False, 0)

    def _set(self, **changes: Any) -> None:
        self.ingredient = replace(self.ingredient, **changes)
        if "fit" in changes:
            self.show_thumbnail()
        self._rows.changed()


class Rows(Gtk.Box):
    """All ingredients. `told` is called with them after each change."""

    def __init__(self, image: Gimp.Image | None, told: Callable[[tuple[Ingredient, ...]], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._image = image
        self._told = told
        self._box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=4)
        self.pack_start(self._box, True, True, 0)
        buttons = Gtk.Box(spacing=6)
        buttons.pack_start(text_button(_("Add _Prompt"), lambda: self.add_row(TextItem("", 0.5))), False, False, 0)
        if image is not None:
            buttons.pack_start(
                text_button(_("Add Selected _Layers"), lambda: self._add_selected(image)), False, False, 0
            )
        self.pack_start(buttons, False, False, 0)

    @property
    def ingredients(self) -> tuple[Ingredient, ...]:
        return tuple(row.ingredient for row in self._box.get_children())

    def show_all_of(self, ingredients: tuple[Ingredient, ...]) -> None:
        """Show these instead of those that are there."""
        if ingredients == self.ingredients:
            return
        for row in self._box.get_children():
            row.destroy()
        for ingredient in ingredients:
            self._append(ingredient)
        self.changed()

    def add_row(self, ingredient: Ingredient) -> None:
        if len(self.ingredients) < MAX_ITEMS:
            self._append(ingredient)
            self.changed()

    def move(self, row: Row, by: int) -> None:
        place = self._box.get_children().index(row) + by
        self._box.reorder_child(row, max(0, place))
        self.changed()

    def duplicate(self, row: Row) -> None:
        place = self._box.get_children().index(row) + 1
        self.add_row(row.ingredient)
        self._box.reorder_child(self._box.get_children()[-1], place)
        self.changed()

    def remove_row(self, row: Row) -> None:
        row.destroy()
        self.changed()

    def refresh(self) -> None:
        """Read the layers anew: they may have been painted on."""
        if self._image is not None and self._image.is_valid():
            for row in self._box.get_children():
                row.show_thumbnail()

    def changed(self) -> None:
        rows = self._box.get_children()
        for row, percent in zip(rows, shares([row.ingredient.weight for row in rows]), strict=True):
            row.show_share(percent)
        self._told(self.ingredients)

    def _append(self, ingredient: Ingredient) -> None:
        row = Row(ingredient, self._image, self)
        self._box.pack_start(row, False, False, 0)
        row.show_all()

    def _add_selected(self, image: Gimp.Image) -> None:
        layers = image.get_selected_layers()
        for layer in layers:
            self.add_row(LayerIngredient(layer.get_tattoo(), even(len(layers))))
