"""A layer in its row: what the model sees of it, and how that square is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from gi.repository import Gdk, Gimp, Gtk

from plugin_client.gimp.dialog import thumbnails
from plugin_client.gimp.dialog.widgets import choice, named
from plugin_client.gimp.ingredients import LayerIngredient
from plugin_client.gimp.pixels import layer_of, read_layer
from plugin_client.gimp.placing import shows_backdrop
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import KandinskyError, UsageError
from plugin_client.wire.messages import Fit, Picture

_FITS: dict[Fit, str] = {"crop": _("Crop the centre"), "pad": _("Pad"), "stretch": _("Stretch")}


class LayerView(Gtk.Box):
    """`changed` is called with the fields of the ingredient that the artist set."""

    def __init__(self, image: Gimp.Image | None, ingredient: LayerIngredient, changed: Callable[..., None]) -> None:
        super().__init__(spacing=6)
        self._image = image
        self._ingredient = ingredient
        self._changed = changed
        self._picture: Picture | None = None
        self._thumbnail = Gtk.Image()
        self._backdrop = self._make_backdrop()
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=2, valign=Gtk.Align.CENTER)
        column.pack_start(Gtk.Label(label=self._name(), xalign=0.0, ellipsize=3, width_chars=14), False, False, 0)
        column.pack_start(self._how(), False, False, 0)
        self.pack_start(self._thumbnail, False, False, 0)
        self.pack_start(column, True, True, 0)
        self.read_again()

    def read_again(self) -> None:
        """Look at the layer, and show what the model sees of it, or why that is nothing."""
        try:
            self._picture = self._read()
        except KandinskyError as exc:
            self._picture = None
            self._thumbnail.set_from_icon_name("dialog-warning", Gtk.IconSize.DND)
            self._thumbnail.set_pixel_size(thumbnails.THUMBNAIL)
            named(self._thumbnail, str(exc))
        else:
            self._show()

    def _read(self) -> Picture:
        if self._image is None:
            raise UsageError(_("This layer is gone"))
        return read_layer(layer_of(self._image, self._ingredient.layer))

    def _show(self) -> None:
        if self._picture is not None:
            self._thumbnail.set_from_pixbuf(thumbnails.as_seen(self._ingredient.item(self._picture, "")))
            named(self._thumbnail, _("What the model sees of it"))
            self._backdrop.set_visible(shows_backdrop(self._picture, self._ingredient.fit))

    def _name(self) -> str:
        layer = self._image.get_layer_by_tattoo(self._ingredient.layer) if self._image else None
        return layer.get_name() if layer else _("This layer is gone")

    def _how(self) -> Gtk.Box:
        name = _("Fit of {layer}").format(layer=self._name())
        combo = choice(name, [(fit, _FITS[fit]) for fit in get_args(Fit)], self._ingredient.fit)
        combo.connect("changed", lambda combo: self._set(fit=combo.get_active_id()))
        box = Gtk.Box(spacing=6)
        for widget in (combo, self._backdrop):
            box.pack_start(widget, False, False, 0)
        return box

    def _make_backdrop(self) -> Gtk.ColorButton:
        """Only there where the model sees something of it."""
        red, green, blue = (value / 255 for value in self._ingredient.backdrop)
        button = Gtk.ColorButton(rgba=Gdk.RGBA(red, green, blue, 1.0), title=_("Backdrop"))
        button.set_no_show_all(True)
        button.connect("color-set", lambda button: self._set(backdrop=_bytes(button.get_rgba())))
        return named(button, _("Backdrop of {layer}").format(layer=self._name()))

    def _set(self, **changes: Any) -> None:
        self._ingredient = replace(self._ingredient, **changes)
        self._show()
        self._changed(**changes)


def _bytes(colour: Gdk.RGBA) -> tuple[int, int, int]:
    return round(colour.red * 255), round(colour.green * 255), round(colour.blue * 255)
