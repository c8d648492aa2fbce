"""What is drawn into: the fields of each dialog that draws into an image, above the ingredients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from gi.repository import Gimp, GObject, Gtk

from plugin_client.editor.translation import _
from plugin_client.gimp.arguments import ASPECT, GROWTH_SIDES, REGION, SEEN, TARGET_SIDES, Region, Seen, growth_of
from plugin_client.gimp.commands import Call, image_of, one_layer
from plugin_client.gimp.dialog.strength import StrengthBox
from plugin_client.gimp.dialog.widgets import FieldRows, choice, spin
from plugin_client.gimp.layer_reading import area_in_sight
from plugin_client.gimp.redraws import upscaled_area
from plugin_client.regions import MOST_GROWTH
from plugin_client.wire.errors import KandinskyError, UsageError
from plugin_client.wire.limits import MAX_PICTURE_SIDE
from plugin_client.wire.messages import ModelInfo, Refine, Repaint, Upscale
from plugin_client.wire.settings import BlendSettings, redraw_settings

_BOUND = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE
_REGIONS: dict[Region, str] = {"selection": _("The selection"), "layer": _("The whole layer")}
_SEEN: dict[Seen, str] = {"visible": _("All that is visible"), "layer": _("The selected layer alone")}
_ASPECTS = (
    (0.0, _("By pixels")),
    (1.0, "1 : 1"),
    (4 / 3, "4 : 3"),
    (3 / 2, "3 : 2"),
    (16 / 9, "16 : 9"),
    (3 / 4, "3 : 4"),
    (2 / 3, "2 : 3"),
    (9 / 16, "9 : 16"),
)


class RegionBox(Gtk.Box):
    """Fields bound to the arguments of `config`, and a line that says what they come to."""

    choosing: tuple[str, ...] = ()  # the arguments that `kind` follows from

    def __init__(self, config: Gimp.ProcedureConfig, call: Call) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self.config = config
        self.call = call
        self.image = image_of(call)
        self._strength: StrengthBox | None = None
        self._line = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=50, no_show_all=True)
        self.pack_start(self._line, False, False, 0)
        self.fill()
        self.refresh()

    @property
    def kind(self) -> str:
        """The kind of request that comes of the fields."""
        return Repaint.kind

    def say(self, line: str) -> None:
        """Say what the fields come to."""
        self._line.set_text(line)
        self._line.show()

    def fill(self) -> None:
        """Put the fields."""

    def put_strength(self, request: type[BlendSettings]) -> None:
        """Put the field of the strength that this kind of request has."""
        [setting] = [one for one in redraw_settings(request) if one.name == "strength"]
        self._strength = StrengthBox(self.config, setting)
        self.pack_start(self._strength, False, False, 0)

    def suit(self, offered: Sequence[ModelInfo]) -> None:
        """Show what the fields come to with whichever of these models is chosen."""
        if self._strength is not None:
            self._strength.suit(offered)

    def refresh(self) -> None:
        """Read the image anew: the artist comes back from it."""


class SelectedRegion(RegionBox):
    """Of Remove Selection: what the model sees."""

    def fill(self) -> None:
        rows = FieldRows()
        self.put_choices(rows)
        self.pack_start(rows.grid, False, False, 0)
        self.put_strength(Repaint)

    def put_choices(self, rows: FieldRows) -> None:
        seen = choice(SEEN.label, [(name, _SEEN[name]) for name in get_args(Seen)], str(SEEN.default))
        self.config.bind_property(SEEN.name, seen, "active-id", _BOUND)
        rows.put_wide(_("Model sees"), seen, seen, SEEN.help)

    def refresh(self) -> None:
        if not self.image.is_valid():
            return
        _ok, has_selection, left, top, right, bottom = Gimp.Selection.bounds(self.image)
        if has_selection:
            self.say(_("Selected: {width} x {height} pixels").format(width=right - left, height=bottom - top))
        else:
            self.say(self.words_without_selection)

    @property
    def words_without_selection(self) -> str:
        return _("Nothing is selected: select what is to go with any selection tool")


class RepaintRegion(SelectedRegion):
    """Of Repaint Selection: the region too."""

    choosing = (REGION.name,)

    @property
    def kind(self) -> str:
        return Refine.kind if self.config.get_property(REGION.name) == "layer" else Repaint.kind

    def put_choices(self, rows: FieldRows) -> None:
        region = choice(REGION.label, [(name, _REGIONS[name]) for name in get_args(Region)], str(REGION.default))
        self.config.bind_property(REGION.name, region, "active-id", _BOUND)
        rows.put_wide(_("Region"), region, region, REGION.help)
        super().put_choices(rows)
        self.config.connect(f"notify::{REGION.name}", lambda *_: self.refresh())

    @property
    def words_without_selection(self) -> str:
        if self.config.get_property(REGION.name) == "layer":
            return _("The whole layer is drawn anew")
        return _("Nothing is selected: select what is to be drawn anew, or choose the whole layer as the region")


class LayerRegion(RegionBox):
    """Of Refine Layer: the strength."""

    @property
    def kind(self) -> str:
        return Refine.kind

    def fill(self) -> None:
        self.put_strength(Refine)


class TargetRegion(RegionBox):
    """Of Upscale Layer: how large it becomes."""

    @property
    def kind(self) -> str:
        return Upscale.kind

    def fill(self) -> None:
        rows = FieldRows()
        for one in TARGET_SIDES:
            field = spin(one.label, 0, MAX_PICTURE_SIDE, 64)
            self.config.bind_property(one.name, field, "value", _BOUND)
            rows.put(one.label, field, field, one.help)
            self.config.connect(f"notify::{one.name}", lambda *_: self.refresh())
        self.pack_start(rows.grid, False, False, 0)
        self.put_strength(Upscale)

    def refresh(self) -> None:
        if not self.image.is_valid():
            return
        try:
            self.say(self._words())
        except UsageError as exc:
            self.say(exc.render(_))

    def _words(self) -> str:
        """What comes of the fields. Errors as of upscaled_area."""
        layer = one_layer(self.call)
        values = {one.name: self.config.get_property(one.name) for one in TARGET_SIDES}
        old, new = area_in_sight(layer), upscaled_area(layer, values)
        if old == new:
            return _("The layer keeps its size of {old} pixels, and gets finer detail").format(
                old=f"{old.width} x {old.height}"
            )
        return _("The layer is enlarged from {old} to {new} pixels").format(
            old=f"{old.width} x {old.height}", new=f"{new.width} x {new.height}"
        )


class GrowingRegion(RegionBox):
    """Of Extend Canvas: how far it grows."""

    def fill(self) -> None:
        rows = FieldRows()
        self._aspect = choice(ASPECT.label, [(str(value), label) for value, label in _ASPECTS], "")
        self._chosen = self._aspect.connect("changed", lambda combo: self._keep(combo.get_active_id()))
        rows.put_wide(_("Grow to"), self._aspect, self._aspect, ASPECT.help)
        self._sides = []
        for one in GROWTH_SIDES:
            field = spin(one.label, 0, MOST_GROWTH, 16)
            self.config.bind_property(one.name, field, "value", _BOUND)
            rows.put(one.label, field, field, one.help)
            self._sides.append(field)
        self.pack_start(rows.grid, False, False, 0)
        self.put_strength(Repaint)
        for name in (ASPECT.name, *(one.name for one in GROWTH_SIDES)):
            self.config.connect(f"notify::{name}", lambda *_: self.refresh())

    def refresh(self) -> None:
        if not self.image.is_valid():
            return
        aspect = self.config.get_property(ASPECT.name)
        with self._aspect.handler_block(self._chosen):
            self._aspect.set_active_id(str(aspect))
        for field in self._sides:
            field.set_sensitive(not aspect)
        self.say(self._words((self.image.get_width(), self.image.get_height())))

    def _keep(self, aspect: str | None) -> None:
        if aspect and float(aspect):
            for one in GROWTH_SIDES:
                self.config.set_property(one.name, 0)
        self.config.set_property(ASPECT.name, float(aspect or 0))

    def _words(self, size: tuple[int, int]) -> str:
        values = {one.name: self.config.get_property(one.name) for one in (*GROWTH_SIDES, ASPECT)}
        try:
            width, height = growth_of(values, size).grown_size(size)
        except KandinskyError:
            return _("The image does not grow yet: it is of {width} x {height} pixels").format(
                width=size[0], height=size[1]
            )
        return _("The image grows from {old} to {new} pixels").format(
            old=f"{size[0]} x {size[1]}", new=f"{width} x {height}"
        )
