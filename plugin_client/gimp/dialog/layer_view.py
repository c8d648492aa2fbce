"""A layer in its row: a thumbnail of the square that the model sees, and how that is made of the layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from gi.repository import Gdk, Gimp, Gtk

from plugin_client.editor.geometry import shows_backdrop
from plugin_client.editor.ingredients import LayerIngredient
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog import thumbnails
from plugin_client.gimp.dialog.widgets import choice, hinted, named
from plugin_client.gimp.layer_reading import reading
from plugin_client.gimp.main_loop import Chore, Chores
from plugin_client.gimp.pixels import layer_of
from plugin_client.wire.errors import KandinskyError, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Fit, Picture

_FITS: dict[Fit, str] = {"crop": _("Crop the centre"), "pad": _("Pad"), "stretch": _("Stretch")}


class LayerView(Gtk.Box):
    """A layer without its weight.

    Args:
        image: that the layer is of.
        ingredient: the layer's tattoo, fit and backdrop.
        chores: read the layer, so that the dialog need not wait for it.
        on_change: called with the fields of the ingredient that the artist set.
    """

    def __init__(
        self, image: Gimp.Image | None, ingredient: LayerIngredient, chores: Chores, on_change: Callable[..., None]
    ) -> None:
        super().__init__(spacing=6)
        self._image = image
        self._ingredient = ingredient
        self._on_change = on_change
        self.name = self._name()  # asked once: GIMP answers late while it draws a large image
        self._picture: Picture | None = None
        self._chores = chores
        self._is_there = True
        self._is_waiting = False  # to be read
        self.connect("destroy", lambda _: self._leave())
        self.thumbnail = Gtk.Image()
        self.thumbnail.set_size_request(thumbnails.THUMBNAIL, thumbnails.THUMBNAIL)
        self._backdrop = self._make_backdrop()
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=2, valign=Gtk.Align.CENTER)
        column.pack_start(Gtk.Label(label=self.name, xalign=0.0, ellipsize=3, width_chars=14), False, False, 0)
        column.pack_start(self._fit_and_backdrop(), False, False, 0)
        self.pack_start(self.thumbnail, False, False, 0)
        self.pack_start(column, True, True, 0)
        self.read_again()

    def read_again(self) -> None:
        """Read the layer soon, and show what the model sees of it, or why that is nothing."""
        if not self._is_waiting:
            self._is_waiting = True
            self._chores.add(self._read_and_show())

    def _leave(self) -> None:
        self._is_there = False

    def _read_and_show(self) -> Chore:
        self._is_waiting = False
        if not self._is_there:
            return
        try:
            picture = yield from reading(self._layer(), thumbnails.READ)
        except KandinskyError as exc:
            self._show_fault(exc)
        else:
            if self._is_there:
                self._picture = picture
                self._show()

    def _layer(self) -> Gimp.Layer:
        if self._image is None:
            raise UsageError(N_("This layer is gone"))
        return layer_of(self._image, self._ingredient.layer)

    def _show_fault(self, fault: KandinskyError) -> None:
        self._picture = None
        self.thumbnail.set_from_icon_name("dialog-warning", Gtk.IconSize.DND)
        self.thumbnail.set_pixel_size(thumbnails.THUMBNAIL)
        hinted(self.thumbnail, fault.render(_))

    def _show(self) -> None:
        if self._picture is not None:
            self.thumbnail.set_from_pixbuf(thumbnails.as_seen(self._picture, self._ingredient))
            hinted(self.thumbnail, _("What the model sees of it"))
            self._backdrop.set_visible(shows_backdrop(self._picture, self._ingredient.fit))

    def _name(self) -> str:
        layer = self._image.get_layer_by_tattoo(self._ingredient.layer) if self._image else None
        return layer.get_name() if layer else _("This layer is gone")

    def _fit_and_backdrop(self) -> Gtk.Box:
        name = _("Fit of {layer}").format(layer=self.name)
        combo = choice(name, [(fit, _FITS[fit]) for fit in get_args(Fit)], self._ingredient.fit)
        combo.connect("changed", lambda combo: self._set(fit=combo.get_active_id()))
        box = Gtk.Box(spacing=6)
        for widget in (combo, self._backdrop):
            box.pack_start(widget, False, False, 0)
        return box

    def _make_backdrop(self) -> Gtk.ColorButton:
        """The colour behind the layer; hidden where the model sees nothing of it."""
        red, green, blue = (value / 255 for value in self._ingredient.backdrop)
        button = Gtk.ColorButton(rgba=Gdk.RGBA(red, green, blue, 1.0), title=_("Backdrop"))
        button.set_no_show_all(True)
        button.connect("color-set", lambda button: self._set(backdrop=_bytes(button.get_rgba())))
        return named(button, _("Backdrop of {layer}").format(layer=self.name))

    def _set(self, **changes: Any) -> None:
        self._ingredient = replace(self._ingredient, **changes)
        self._show()
        self._on_change(**changes)


def _bytes(colour: Gdk.RGBA) -> tuple[int, int, int]:
    return round(colour.red * 255), round(colour.green * 255), round(colour.blue * 255)
