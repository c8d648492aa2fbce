"""What can be seen and moved on the blend pad: its points, its puck, and the dots of results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gi.repository import Gdk, GdkPixbuf, GObject, Gtk, Pango

from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.widgets import hinted, named

THUMBNAIL = 36  # px
NAME_CHARS = 14
DRAG = 4  # px that the pointer moves before a press on a point is more than a click


@dataclass(frozen=True)
class PadIngredient:
    """An ingredient as the pad shows it."""

    name: str
    weight: float
    picture: Gtk.Image | None = None  # the thumbnail in its row, which may be filled later


class Handle(Gtk.EventBox):
    """Something on the pad that takes the focus, with a name for screen readers; `tell` describes its value."""

    def __init__(self, content: Gtk.Widget, name: str) -> None:
        super().__init__(can_focus=True)
        self.add(content)
        named(self, name)
        look = Gtk.CssProvider()
        look.load_from_data(b"*:focus { outline: 1px solid @theme_selected_bg_color; }")
        self.get_style_context().add_provider(look, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)

    def tell(self, value: str) -> None:
        self.get_accessible().set_description(value)


class PointHandle(Handle):
    """The point of an ingredient.

    `on_drag` is called with each event of the pointer while the point is dragged, `on_click` when it was pressed alone.
    """

    def __init__(
        self, ingredient: PadIngredient, on_drag: Callable[[Gdk.Event], None], on_click: Callable[[], None]
    ) -> None:
        super().__init__(_face(ingredient), _("Point of {name}").format(name=ingredient.name))
        self._on_drag = on_drag
        self._on_click = on_click
        self._pressed: tuple[float, float] | None = None
        self._is_dragged = False
        self.add_events(
            Gdk.EventMask.BUTTON_PRESS_MASK | Gdk.EventMask.BUTTON_RELEASE_MASK | Gdk.EventMask.BUTTON1_MOTION_MASK
        )
        self.connect("button-press-event", lambda _, event: self._press(event))
        self.connect("motion-notify-event", lambda _, event: self._move(event))
        self.connect("button-release-event", lambda _, event: self._release())

    def _press(self, event: Gdk.Event) -> bool:
        self._pressed, self._is_dragged = (event.x_root, event.y_root), False
        return True

    def _move(self, event: Gdk.Event) -> bool:
        if self._pressed is None:
            return False
        x, y = self._pressed
        self._is_dragged = self._is_dragged or max(abs(event.x_root - x), abs(event.y_root - y)) > DRAG
        if self._is_dragged:
            self._on_drag(event)
        return True

    def _release(self) -> bool:
        if self._pressed is not None and not self._is_dragged:
            self._on_click()
        self._pressed = None
        return True


def puck() -> Handle:
    return Handle(Gtk.Label(label="⬤"), _("Puck"))


def dot(name: str, on_click: Callable[[], None]) -> Gtk.Button:
    """A dot where a result was made."""
    button = Gtk.Button(label="◆", relief=Gtk.ReliefStyle.NONE)
    look = Gtk.CssProvider()
    look.load_from_data(b"* { padding: 0; min-width: 12px; min-height: 12px; color: @theme_selected_bg_color; }")
    button.get_style_context().add_provider(look, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)
    button.connect("clicked", lambda _: on_click())
    return hinted(button, name)


def _face(ingredient: PadIngredient) -> Gtk.Widget:
    """The thumbnail of a layer above its name, or the first words of a prompt."""
    column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
    if ingredient.picture is not None:
        image = Gtk.Image()
        flags = GObject.BindingFlags.SYNC_CREATE
        ingredient.picture.bind_property("pixbuf", image, "pixbuf", flags, lambda _, picture: _small(picture))
        column.pack_start(image, False, False, 0)
    label = Gtk.Label(label=ingredient.name, ellipsize=Pango.EllipsizeMode.END, max_width_chars=NAME_CHARS)
    label.set_width_chars(min(len(ingredient.name), NAME_CHARS))
    column.pack_start(label, False, False, 0)
    return column


def _small(picture: GdkPixbuf.Pixbuf | None) -> GdkPixbuf.Pixbuf | None:
    return picture and picture.scale_simple(THUMBNAIL, THUMBNAIL, GdkPixbuf.InterpType.BILINEAR)
