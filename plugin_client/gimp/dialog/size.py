"""The size of the picture: that of the image, that of the selection, or a typed one."""

from __future__ import annotations

from gi.repository import Gimp, Gtk

from plugin_client.editor.geometry import NEW_IMAGE, USUAL_SIDE, Area, made_size
from plugin_client.editor.translation import _, unmarked
from plugin_client.gimp.dialog.widgets import named, pass_on_the_wheel, spin
from plugin_client.gimp.pixels import canvas, target
from plugin_client.wire.settings import SETTINGS

IMAGE, SELECTION, TYPED = "image", "selection", "typed"
SIDES = ("width", "height")


class SizeBox(Gtk.Box):
    """Bound to the arguments "width" and "height" of `config`, which are 0 unless the size is typed.

    `line`, which goes below, says what comes of it.
    """

    def __init__(self, config: Gimp.ProcedureConfig, image: Gimp.Image | None) -> None:
        super().__init__(spacing=6)
        self._config = config
        self._image = image
        self.choice = named(pass_on_the_wheel(Gtk.ComboBoxText()), _("Size"))
        self._chosen = self.choice.connect("changed", lambda _: self._choose())
        self._typed: dict[Gtk.SpinButton, int] = {}  # the handlers of what is typed
        self._fields = [self._field(name) for name in SIDES]
        self._sides = self._make_sides()
        self.line = Gtk.Label(xalign=0.0)
        self.pack_start(self.choice, False, False, 0)
        self.pack_start(self._sides, False, False, 0)
        self._offered: tuple[str, ...] = ()
        self._side = 0  # of the squares that the model draws best; 0 while that is not known
        self.refresh()
        for name in SIDES:
            config.connect(f"notify::{name}", lambda *_: self._show())

    @property
    def covers_image(self) -> bool:
        """Whether the picture goes over the whole image, whatever is selected in it."""
        return bool(self.choice.get_active_id() == IMAGE)

    @property
    def area(self) -> Area:
        """The area of the image that the picture is placed over."""
        if self._image is None or not self._image.is_valid():
            return NEW_IMAGE
        return canvas(self._image) if self.covers_image else target(self._image)

    def suit(self, side: int) -> None:
        """Propose sizes for a model that draws squares of `side` best; 0 where that is not known."""
        self._side = side
        self._show()

    def refresh(self) -> None:
        """Offer the selection, and choose it, if there is one now; else no longer."""
        offered = (SELECTION, IMAGE, TYPED) if self._has_selection() else (IMAGE, TYPED)
        if offered != self._offered:
            self._offered = offered
            with self.choice.handler_block(self._chosen):
                self.choice.remove_all()
                for name in offered:
                    self.choice.append(name, self._label(name))
                self.choice.set_active_id(TYPED if self._is_typed() else offered[0])
        self._show()

    def _has_selection(self) -> bool:
        return self._image is not None and self._image.is_valid() and not Gimp.Selection.is_empty(self._image)

    def _label(self, name: str) -> str:
        if name == IMAGE and self._image is None:
            return _("Usual")
        return {IMAGE: _("Of the image"), SELECTION: _("Of the selection"), TYPED: _("Custom")}[name]

    def _field(self, argument: str) -> Gtk.SpinButton:
        setting = SETTINGS[argument].setting
        field = spin(unmarked(_(setting.label)), *setting.bounds, setting.increment)
        self._typed[field] = field.connect("value-changed", lambda _: self._keep_typed())
        return field

    def _make_sides(self) -> Gtk.Box:
        """The fields of a typed size, which are shown with it only."""
        box = Gtk.Box(spacing=6)
        for name, field in zip(SIDES, self._fields, strict=True):
            caption = Gtk.Label.new_with_mnemonic(_(SETTINGS[name].setting.label))
            caption.set_mnemonic_widget(field)
            box.pack_start(caption, False, False, 0)
            box.pack_start(field, False, False, 0)
        box.show_all()
        box.set_no_show_all(True)
        return box

    def _is_typed(self) -> bool:
        return any(self._config.get_property(name) for name in SIDES)

    def _made(self) -> tuple[int, int]:
        width, height = (self._config.get_property(name) for name in SIDES)
        return made_size(self.area, width, height, self._side or USUAL_SIDE)

    def _choose(self) -> None:
        sides = self._made() if self.choice.get_active_id() == TYPED else (0, 0)
        self._put(*sides)
        self._show()

    def _keep_typed(self) -> None:
        self._put(*(field.get_value_as_int() for field in self._fields))

    def _put(self, width: int, height: int) -> None:
        for name, side in zip(SIDES, (width, height), strict=True):
            self._config.set_property(name, side)

    def _show(self) -> None:
        """Show the values of the arguments."""
        is_typed = self._is_typed()
        if is_typed != (self.choice.get_active_id() == TYPED):
            with self.choice.handler_block(self._chosen):
                self.choice.set_active_id(TYPED if is_typed else self._offered[0])
        self._sides.set_visible(is_typed)
        made = self._made()
        for field, side in zip(self._fields, made, strict=True):
            with field.handler_block(self._typed[field]):
                field.set_value(side)
        self.line.set_text(self._words(*made))

    def _words(self, width: int, height: int) -> str:
        placed = _by(self.area.width, self.area.height)
        if not (self._side or self._is_typed()):  # no promise: the model decides, and none is known yet
            if self._image is None:
                return _("Made at the size that the model draws best")
            return _("Made at the size that the model draws best, placed at {placed} pixels").format(placed=placed)
        if self._image is None:
            return _("Made at {made} pixels").format(made=_by(width, height))
        return _("Made at {made}, placed at {placed} pixels").format(made=_by(width, height), placed=placed)


def _by(width: int, height: int) -> str:
    return f"{width} x {height}"
