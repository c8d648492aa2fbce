"""The buttons that add rows: a prompt, or any layer of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gi.repository import Gdk, Gimp, Gtk

from plugin_client.editor.ingredients import Ingredient, LayerIngredient
from plugin_client.editor.translation import _
from plugin_client.editor.weights import even
from plugin_client.gimp.dialog.widgets import named, text_button
from plugin_client.wire.messages import TextItem

WEIGHT = 0.5  # of what is added alone
INDENT = 18  # px a group
ICON = 24  # px


class AddButtons(Gtk.Box):
    """`on_add` is called with each new ingredient."""

    def __init__(self, image: Gimp.Image | None, on_add: Callable[[Ingredient], None]) -> None:
        super().__init__(spacing=6)
        self._on_add = on_add
        self._menu: Gtk.Menu | None = None
        prompt = text_button(_("Add _Prompt"), lambda: on_add(TextItem("", WEIGHT)))
        self.pack_start(prompt, False, False, 0)
        if image is not None:
            self._layer_button = text_button(_("_Add Layer"), lambda: self._open(image))
            self._layer_button.set_image(Gtk.Image.new_from_icon_name("pan-down-symbolic", Gtk.IconSize.BUTTON))
            self._layer_button.set_always_show_image(True)
            self._layer_button.set_image_position(Gtk.PositionType.RIGHT)
            self.pack_start(self._layer_button, False, False, 0)

    def _open(self, image: Gimp.Image) -> None:
        """Open a menu of the layers that there are now.

        The menu is attached to no widget: a screen reader would not find it there.
        """
        if not image.is_valid():
            return
        self._menu = Gtk.Menu()
        selected = image.get_selected_layers()
        if selected:
            self._menu.append(self._item(_("The Selected Layers"), lambda: self._add_all(selected)))
            self._menu.append(Gtk.SeparatorMenuItem())
        for layer, depth in _all_layers(image.get_layers()):
            self._menu.append(self._layer_item(layer, depth))
        self._menu.show_all()
        gravity = Gdk.Gravity
        self._menu.popup_at_widget(self._layer_button, gravity.SOUTH_WEST, gravity.NORTH_WEST, None)

    def _layer_item(self, layer: Gimp.Layer, depth: int) -> Gtk.MenuItem:
        item = self._item("", lambda: self._on_add(LayerIngredient(layer.get_tattoo(), WEIGHT)))
        item.remove(item.get_child())
        box = Gtk.Box(spacing=6, margin_start=depth * INDENT)
        small = layer.get_thumbnail(ICON, ICON, Gimp.PixbufTransparency.SMALL_CHECKS)
        box.pack_start(Gtk.Image.new_from_pixbuf(small), False, False, 0)
        box.pack_start(Gtk.Label(label=layer.get_name(), xalign=0.0), False, False, 0)
        item.add(box)
        return named(item, layer.get_name())

    def _item(self, label: str, on_choice: Callable[[], None]) -> Gtk.MenuItem:
        item = Gtk.MenuItem(label=label)
        item.connect("activate", lambda _: on_choice())
        return item

    def _add_all(self, layers: Iterable[Gimp.Layer]) -> None:
        layers = list(layers)
        for layer in layers:
            self._on_add(LayerIngredient(layer.get_tattoo(), even(len(layers))))


def _all_layers(layers: Iterable[Gimp.Layer], depth: int = 0) -> Iterator[tuple[Gimp.Layer, int]]:
    """Each layer and its depth, those in groups included."""
    for layer in layers:
        yield layer, depth
        if layer.is_group():
            yield from _all_layers(layer.get_children(), depth + 1)
