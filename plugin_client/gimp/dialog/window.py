"""The dialog: it stays open from one picture to the next, and lets the artist paint meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gi.repository import Gimp, GimpUi, Gtk

from plugin_client.client import BlendResult, Work
from plugin_client.gimp import ingredients
from plugin_client.gimp.arguments import (
    FRAMES,
    FRAMES_AS,
    INGREDIENTS,
    SETTINGS,
    SWEEP,
    TO,
    VARIATION,
    Conversion,
    Value,
    blend_of,
    sweep_of,
)
from plugin_client.gimp.connection import connect
from plugin_client.gimp.dialog.lost_bar import LostBar
from plugin_client.gimp.dialog.offer import ask_running
from plugin_client.gimp.dialog.progress import ProgressPanel
from plugin_client.gimp.dialog.rows import Entry, Rows
from plugin_client.gimp.dialog.session import Session
from plugin_client.gimp.dialog.settings import Settings
from plugin_client.gimp.dialog.sweep import SweepBox
from plugin_client.gimp.insert import Place, insert, insert_frames
from plugin_client.gimp.placing import Area
from plugin_client.gimp.running import Claimant, Insert, fitted, items_of, place_of
from plugin_client.gimp.titles import sweep_title, time_words
from plugin_client.gimp.translation import _
from plugin_client.sweep import Sweep
from plugin_client.wire.errors import JobCancelled, KandinskyError, UsageError
from plugin_client.wire.messages import Blend, Item

PREVIEW_EVERY = 3  # steps

_CONVERSIONS: dict[int, Conversion] = {1: "layer", 2: "new-image"}


@dataclass(frozen=True)
class Order:
    """What Generate asks for: the blends of a sweep, or a single one, their shape, and what becomes of the pictures."""

    blends: tuple[Blend, ...]
    area: Area
    insert: Insert

    @property
    def pictures(self) -> int:
        return sum(blend.count for blend in self.blends)

    @property
    def is_sweep(self) -> bool:
        return len(self.blends) > 1

    def submit(self, claimant: Claimant) -> Work:
        fitting = fitted(self.blends, claimant.client, self.area)
        blends = [replace(blend, preview_every=PREVIEW_EVERY) for blend in fitting]
        return Sweep(claimant.submit, blends) if self.is_sweep else claimant.submit(blends[0])

    def name(self, result: BlendResult, layer: Gimp.Layer) -> str:
        """Of what was made: the last frame in a new image stands for all of them."""
        if self.is_sweep:
            return sweep_title(result.recipes[0], result.recipes[-1])
        return str(layer.get_name())


class BlendDialog:
    """The dialog for `image`, or for a new one when that is None. It shows and changes `config`, of kandinsky-blend."""

    def __init__(self, procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, image: Gimp.Image | None) -> None:
        self._config = config
        self._image = image
        self._began = 0.0
        self._last: Gimp.Layer | None = None
        self._panel = ProgressPanel(self._stop)
        self._session = Session(connect, self._panel.show_progress)
        self._lost_bar = LostBar()
        self._rows = Rows(image, self._keep)
        self._settings = Settings(config, image)
        self._dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Blend Layers and Prompts"))
        self._dialog.set_ok_label(_("_Generate"))
        self._fill()
        for name in (INGREDIENTS.name, TO.name):
            config.connect(f"notify::{name}", lambda *_: self._show_kept())
        config.connect(f"notify::{SWEEP.name}", lambda *_: self._show_sweep())
        # What was drawn from another seed has no such number.
        config.connect("notify::seed", lambda *_: config.set_property(VARIATION.name, 0))
        self._dialog.connect("focus-in-event", lambda *_: self._look_again())

    def run(self) -> Gimp.Layer | None:
        """Until it is closed; the last layer that was made, if one was."""
        self._dialog.show_all()
        while self._dialog.run():
            self._generate()
        self._session.close()
        self._lost_bar.close()
        self._dialog.destroy()
        return self._last

    def _fill(self) -> None:
        area = self._dialog.get_content_area()
        area.set_spacing(12)
        area.set_border_width(12)
        area.pack_start(self._lost_bar, False, False, 0)
        area.pack_start(self._rows, True, True, 0)
        for widget in (SweepBox(self._config, self._image is not None), self._settings, self._panel):
            area.pack_start(widget, False, False, 0)
        self._learn_offer()
        self._show_kept()
        self._show_sweep()

    def _look_again(self) -> None:
        """The artist comes back from the image."""
        self._rows.refresh()
        self._settings.size.refresh()
        self._learn_offer()

    def _learn_offer(self) -> None:
        """A daemon that was just started does not know yet what it has to offer."""
        if not self._settings.offer.is_complete:
            self._settings.show_offer(ask_running())

    def _keep(self, kept: tuple[Entry, ...]) -> None:
        with self._config.freeze_notify():
            self._config.set_property(INGREDIENTS.name, ingredients.to_json(entry.ingredient for entry in kept))
            self._config.set_property(TO.name, json.dumps([entry.to for entry in kept]))

    def _show_kept(self) -> None:
        """Reset and Load have changed the values."""
        try:
            kept = ingredients.parse(self._config.get_property(INGREDIENTS.name) or "")
        except UsageError:
            kept = ()
        to = weights_at_the_end(self._config.get_property(TO.name) or "", [one.weight for one in kept])
        self._rows.show_all_of([Entry(one, weight) for one, weight in zip(kept, to, strict=True)])

    def _show_sweep(self) -> None:
        is_sweep = self._config.get_property(SWEEP.name)
        self._rows.show_ends(is_sweep)
        self._settings.allow_variations(not is_sweep)

    def _generate(self) -> None:
        self._began = time.monotonic()
        self._dialog.set_response_sensitive(Gtk.ResponseType.OK, False)
        self._panel.begin(_("Starting ..."))
        while Gtk.events_pending():
            Gtk.main_iteration()
        try:
            self._submit()
        except KandinskyError as exc:
            self._finish(str(exc))

    def _submit(self) -> None:
        if self._image is not None and not self._image.is_valid():
            raise UsageError(_("the image was closed: open this dialog from another one"))
        conversion = "new-image" if self._opens_an_image else self._ask_conversion()
        if conversion is None:
            self._finish("")
            return
        place = self._place(conversion)
        items = items_of(self._image, self._rows.ingredients)
        if not items:
            raise UsageError(_("there is nothing to blend: add a prompt or a layer"))
        order = self._order(items)
        self._panel.expect(order.pictures)
        self._session.start(order.submit, place, lambda end: self._end(end, order, place))
        self._learn_offer()

    @property
    def _is_sweep(self) -> bool:
        return bool(self._config.get_property(SWEEP.name))

    @property
    def _opens_an_image(self) -> bool:
        """Whether the pictures are not for the image that the dialog is for."""
        return self._image is None or (self._is_sweep and self._config.get_property(FRAMES_AS.name) == "new-image")

    def _place(self, conversion: Conversion) -> Place | None:
        if self._image is None or self._opens_an_image:
            return None
        place = place_of(self._image, conversion)
        if place is None or not self._settings.size.covers_image:
            return place
        return replace(place, area=self._settings.size.area, selection=None)

    def _order(self, items: tuple[Item, ...]) -> Order:
        values, area = self._values(), self._settings.size.area
        if self._is_sweep:
            return Order(sweep_of(items, values, area), area, insert_frames)
        blend = replace(blend_of(items, values, area), variation=self._config.get_property(VARIATION.name))
        return Order((blend,), area, insert)

    def _values(self) -> dict[str, Value]:
        names = [argument.name for argument in (*SETTINGS, TO, FRAMES)]
        values = {name: self._config.get_property(name) for name in names}
        values["seed"] = self._settings.seed.next()
        return {name: "" if value is None else value for name, value in values.items()}

    def _ask_conversion(self) -> Conversion | None:
        """Before colours are lost; None is to do nothing."""
        if self._image is None or self._image.get_base_type() == Gimp.ImageBaseType.RGB:
            return "layer"
        question = Gtk.MessageDialog(
            transient_for=self._dialog,
            modal=True,
            message_type=Gtk.MessageType.QUESTION,
            text=_("This image is gray or indexed: a new layer in it loses its colours."),
        )
        question.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        question.add_button(_("Open as a _New Image"), 2)
        question.add_button(_("Convert the New _Layer"), 1)
        answer = question.run()
        question.destroy()
        return _CONVERSIONS.get(answer)

    def _stop(self) -> None:
        self._panel.say(_("Stopping ..."))
        try:
            self._session.stop()
        except KandinskyError as exc:
            self._panel.say(str(exc))

    def _end(self, end: BlendResult | KandinskyError, order: Order, place: Place | None) -> None:
        if isinstance(end, JobCancelled):
            self._finish(_("Stopped"))
        elif isinstance(end, KandinskyError):
            self._finish(str(end))
        else:
            self._insert(end, order, place)
        self._learn_offer()

    def _insert(self, result: BlendResult, order: Order, place: Place | None) -> None:
        self._last = order.insert(result, place)
        if place is None or not place.image.is_valid():
            Gimp.Display.new(self._last.get_image())
        Gimp.displays_flush()
        self._panel.show_picture(result.pictures[0])
        took = time_words(time.monotonic() - self._began)
        done = _("Done in {time}: {layer}.").format(time=took, layer=order.name(result, self._last))
        is_exportable = order.is_sweep and not self._last.is_group()
        hint = [_("File > Export As makes an animation of it.")] if is_exportable else []
        self._finish(" ".join([done, *hint, *map(_sentence, result.warnings)]), 1.0)

    def _finish(self, line: str, fraction: float = 0.0) -> None:
        self._panel.end(line, fraction)
        self._dialog.set_response_sensitive(Gtk.ResponseType.OK, True)


def _sentence(words: str) -> str:
    """What the daemon says in the midst of a line, as the beginning of one."""
    return f"{words[:1].upper()}{words[1:]}"


def weights_at_the_end(text: str, weights: Sequence[float]) -> list[float]:
    """The list in `text`, or where it does not fit the ingredients the `weights` that they have."""
    try:
        to = [float(weight) for weight in ingredients.json_list(text, TO.name)]
    except (UsageError, TypeError, ValueError):
        to = []
    return to if len(to) == len(weights) else list(weights)
