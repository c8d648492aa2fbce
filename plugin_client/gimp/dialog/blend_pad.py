"""The blend pad: the ingredients as points on a plane, and a puck whose place sets their weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from gi.repository import Gdk, GLib, Gtk

from plugin_client.editor.blend_pad import Mark, line_between
from plugin_client.editor.translation import _
from plugin_client.editor.weights import shares_in_words
from plugin_client.gimp.dialog.pad_handles import PadIngredient, PointHandle, dot, puck
from plugin_client.gimp.dialog.thumbnails import pixbuf
from plugin_client.gimp.dialog.widgets import named
from plugin_client.weight_plane import CENTRE, Point, first_points, place_of, weights_at, with_moved
from plugin_client.wire.messages import Picture

WIDTH, HEIGHT = 420, 190  # px
MARGIN_X, MARGIN_Y = 60, 36  # px around the points, in which their names have room
STEP, FINE_STEP = 0.05, 0.01  # of the pad, for an arrow key alone, and with Shift
MOST_MARKS = 30
LINE = bytes((128, 128, 128, 160))  # RGBA of the lines between the points: seen on dark and on light
_ARROWS = {
    Gdk.KEY_Left: Point(-1.0, 0.0),
    Gdk.KEY_Right: Point(1.0, 0.0),
    Gdk.KEY_Up: Point(0.0, -1.0),
    Gdk.KEY_Down: Point(0.0, 1.0),
}


class BlendPad(Gtk.EventBox):
    """A plane with the ingredients; hidden where there are not two of them.

    The puck and the points are moved with the mouse, a tablet, or the arrow keys once Tab has led there. A click on a
    point gives it all weight.

    Args:
        on_weights: called with a weight for each ingredient, all together as large as before, when the puck was moved.
        on_mark: called with the mark whose dot was clicked.
    """

    def __init__(self, on_weights: Callable[[list[float]], None], on_mark: Callable[[Mark], None]) -> None:
        super().__init__(no_show_all=True, halign=Gtk.Align.CENTER)
        self._on_weights = on_weights
        self._on_mark = on_mark
        self._shown: list[tuple[str, Gtk.Image | None]] = []  # the names and thumbnails of the points
        self._points: tuple[Point, ...] = ()
        self._weights: list[float] = []
        self._place = CENTRE
        self._is_moving = False  # then the weights follow the puck, and it not them
        self._marks: deque[Mark] = deque(maxlen=MOST_MARKS)
        self._plane = Gtk.Fixed()
        self._plane.set_size_request(WIDTH, HEIGHT)
        self._lines = Gtk.Image()
        self._handles: list[PointHandle] = []
        self._dots: list[Gtk.Button] = []
        self._puck = puck()
        self._plane.put(self._lines, 0, 0)
        above = Gtk.Fixed()  # where the puck is not hidden by points, whichever of them is made last
        above.put(self._puck, 0, 0)
        planes = Gtk.Overlay()
        planes.add(self._plane)
        planes.add_overlay(above)
        planes.set_overlay_pass_through(above, True)
        planes.show_all()
        self.add(planes)
        _draw_border(named(self, _("Blend pad")))
        self.add_events(
            Gdk.EventMask.BUTTON_PRESS_MASK | Gdk.EventMask.BUTTON1_MOTION_MASK | Gdk.EventMask.KEY_PRESS_MASK
        )
        self.connect("button-press-event", lambda _, event: self._point_at(event))
        self.connect("motion-notify-event", lambda _, event: self._point_at(event))
        self.connect("key-press-event", lambda _, event: self._press(event))

    def show_ingredients(self, ingredients: Sequence[PadIngredient]) -> None:
        """Show the ingredients, and the puck where their weights put it."""
        self.set_visible(len(ingredients) > 1)
        if len(ingredients) < 2:
            return
        self._weights = [ingredient.weight for ingredient in ingredients]
        if len(ingredients) != len(self._points):
            self._points = first_points(len(ingredients))
            self._draw_lines()
        shown = [(ingredient.name, ingredient.picture) for ingredient in ingredients]
        if shown != self._shown:
            self._shown = shown
            self._show_points(ingredients)
            self._show_marks()
        if not self._is_moving:
            self._put_puck(place_of(self._weights, self._points))
        self._puck.tell(shares_in_words([name for name, _ in shown], self._weights))

    def add_mark(self, mark: Mark) -> None:
        """Show from now on where a result was made, while the ingredients are its."""
        self._marks.append(mark)
        self._show_marks()

    def _show_points(self, ingredients: Sequence[PadIngredient]) -> None:
        for handle in self._handles:
            handle.destroy()
        self._handles = []
        for n, ingredient in enumerate(ingredients):
            handle = PointHandle(ingredient, partial(self._drag_point, n), partial(self._take_point, n))
            self._handles.append(handle)
            self._plane.put(handle, 0, 0)
            handle.show_all()
            self._put(handle, self._points[n])
            # A thumbnail that comes later makes it larger; GTK heeds no move while it allocates.
            handle.connect("size-allocate", lambda handle, _: GLib.idle_add(self._put_again, handle))
            handle.tell(_place_in_words(self._points[n]))

    def _show_marks(self) -> None:
        for shown in self._dots:
            shown.destroy()
        names = tuple(name for name, _ in self._shown)
        self._dots = [self._dot(mark) for mark in self._marks if mark.names == names]

    def _dot(self, mark: Mark) -> Gtk.Button:
        name = _("Result with the seed {seed}: {shares}").format(
            seed=mark.seed, shares=shares_in_words(mark.names, mark.weights)
        )
        button = dot(name, lambda: self._on_mark(mark))
        self._plane.put(button, 0, 0)
        button.show_all()
        self._put(button, place_of(mark.weights, self._points))
        return button

    def _draw_lines(self) -> None:
        pixels = bytearray(4 * WIDTH * HEIGHT)
        corners = [(round(x), round(y)) for x, y in map(_pixels, self._points)]
        for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
            for x, y in line_between(start, end):
                pixels[4 * (y * WIDTH + x) : 4 * (y * WIDTH + x + 1)] = LINE
        self._lines.set_from_pixbuf(pixbuf(Picture(WIDTH, HEIGHT, 4, bytes(pixels))))

    def _put_puck(self, place: Point) -> None:
        self._place = place
        self._put(self._puck, place)

    def _put_again(self, handle: PointHandle) -> bool:
        if handle in self._handles:
            self._put(handle, self._points[self._handles.index(handle)])
        return bool(GLib.SOURCE_REMOVE)

    def _put(self, widget: Gtk.Widget, place: Point) -> None:
        """Put the middle of a widget at a place."""
        _least, natural = widget.get_preferred_size()
        x, y = _pixels(place)
        left = min(max(0, round(x - natural.width / 2)), WIDTH - natural.width)
        top = min(max(0, round(y - natural.height / 2)), HEIGHT - natural.height)
        # A move to where it is lays the plane out again, and that moves it again.
        plane = widget.get_parent()
        if [left, top] != [plane.child_get_property(widget, axis) for axis in ("x", "y")]:
            plane.move(widget, left, top)

    def _place_of(self, event: Gdk.Event) -> Point:
        """The place to which an event of any widget on the plane points."""
        _, left, top = self.get_window().get_origin()
        x, y = event.x_root - left - MARGIN_X, event.y_root - top - MARGIN_Y
        return Point(x / (WIDTH - 2 * MARGIN_X), y / (HEIGHT - 2 * MARGIN_Y))

    def _point_at(self, event: Gdk.Event) -> bool:
        self._puck.grab_focus()
        self._take(self._place_of(event))
        return True

    def _press(self, event: Gdk.EventKey) -> bool:
        if event.keyval not in _ARROWS:
            return False
        step = _ARROWS[event.keyval].times(FINE_STEP if event.state & Gdk.ModifierType.SHIFT_MASK else STEP)
        for n, handle in enumerate(self._handles):
            if handle.has_focus():
                self._move_point(n, self._points[n] + step)
                return True
        self._take(self._place + step)
        return True

    def _move_point(self, n: int, place: Point) -> None:
        """Move a point; the weights stay, and the puck goes where they put it now."""
        self._points = with_moved(self._points, n, place)
        self._put(self._handles[n], self._points[n])
        self._handles[n].tell(_place_in_words(self._points[n]))
        self._draw_lines()
        self._show_marks()
        self._put_puck(place_of(self._weights, self._points))

    def _drag_point(self, n: int, event: Gdk.Event) -> None:
        self._move_point(n, self._place_of(event))

    def _take_point(self, n: int) -> None:
        self._puck.grab_focus()
        self._take(self._points[n])

    def _take(self, place: Point) -> None:
        total = sum(max(0.0, weight) for weight in self._weights) or 1.0
        weights = weights_at(place, self._points)
        self._put_puck(place_of(weights, self._points))
        self._is_moving = True
        self._on_weights([round(total * weight, 2) for weight in weights])
        self._is_moving = False


def _draw_border(widget: Gtk.Widget) -> None:
    """Show where the pad ends."""
    look = Gtk.CssProvider()
    look.load_from_data(b"* { border: 1px solid alpha(currentColor, 0.3); }")
    widget.get_style_context().add_provider(look, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)


def _place_in_words(place: Point) -> str:
    return _("Across: {across} %, down: {down} %").format(across=round(100 * place.x), down=round(100 * place.y))


def _pixels(place: Point) -> tuple[float, float]:
    return MARGIN_X + place.x * (WIDTH - 2 * MARGIN_X), MARGIN_Y + place.y * (HEIGHT - 2 * MARGIN_Y)
