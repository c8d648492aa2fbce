"""The dialog: it stays open from one picture to the next, and lets the artist paint meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace

from gi.repository import Gimp, GimpUi, Gtk

from plugin_client.client import BlendResult
from plugin_client.gimp import ingredients
from plugin_client.gimp.arguments import INGREDIENTS, SETTINGS, Conversion, Value, blend_of
from plugin_client.gimp.connection import connect, connect_to_running
from plugin_client.gimp.dialog.offers import OfferBar
from plugin_client.gimp.dialog.progress import ProgressPanel
from plugin_client.gimp.dialog.rows import Rows
from plugin_client.gimp.dialog.session import Session
from plugin_client.gimp.dialog.settings import Settings
from plugin_client.gimp.ingredients import Ingredient
from plugin_client.gimp.insert import Place, insert
from plugin_client.gimp.pixels import target
from plugin_client.gimp.placing import NEW_IMAGE, Area
from plugin_client.gimp.running import items_of, place_of
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import JobCancelled, KandinskyError, UsageError

PREVIEW_EVERY = 3  # steps

_CONVERSIONS: dict[int, Conversion] = {1: "layer", 2: "new-image"}


class BlendDialog:
    """The dialog for `image`, or for a new one when that is None. It shows and changes `config`, of kandinsky-blend."""

    def __init__(self, procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, image: Gimp.Image | None) -> None:
        self._config = config
        self._image = image
        self._began = 0.0
        self._last: Gimp.Layer | None = None
        self._panel = ProgressPanel(self._stop)
        self._session = Session(connect, self._panel.show_progress)
        self._offers = OfferBar()
        self._rows = Rows(image, self._keep)
        self._dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Blend Layers and Prompts"))
        self._dialog.set_ok_label(_("_Generate"))
        self._fill()
        config.connect(f"notify::{INGREDIENTS.name}", lambda *_: self._show_kept())
        self._dialog.connect("focus-in-event", lambda *_: self._rows.refresh())

    def run(self) -> Gimp.Layer | None:
        """Until it is closed; the last layer that was made, if one was."""
        self._dialog.show_all()
        while self._dialog.run():
            self._generate()
        self._session.close()
        self._offers.close()
        self._dialog.destroy()
        return self._last

    def _fill(self) -> None:
        area = self._dialog.get_content_area()
        area.set_spacing(12)
        area.set_border_width(12)
        for widget in (self._offers, self._rows, Settings(self._config, self._area(), _models()), self._panel):
            area.pack_start(widget, False, False, 0)
        self._show_kept()

    def _area(self) -> Area:
        return target(self._image) if self._image else NEW_IMAGE

    def _keep(self, kept: tuple[Ingredient, ...]) -> None:
        self._config.set_property(INGREDIENTS.name, ingredients.to_json(kept))

    def _show_kept(self) -> None:
        """Reset and Load have changed the values."""
        try:
            kept = ingredients.parse(self._config.get_property(INGREDIENTS.name) or "")
        except UsageError:
            kept = ()
        self._rows.show_all_of(kept)

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
        conversion = self._ask_conversion()
        if conversion is None:
            self._finish("")
            return
        place = place_of(self._image, conversion) if self._image else None
        items = items_of(self._image, self._rows.ingredients)
        if not items:
            raise UsageError(_("there is nothing to blend: add a prompt or a layer"))
        blend = replace(blend_of(items, self._values(), self._area()), preview_every=PREVIEW_EVERY)
        self._session.start(blend, place, lambda end: self._end(end, place))

    def _values(self) -> dict[str, Value]:
        values = {argument.name: self._config.get_property(argument.name) for argument in SETTINGS}
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

    def _end(self, end: BlendResult | KandinskyError, place: Place | None) -> None:
        if isinstance(end, JobCancelled):
            self._finish(_("Stopped"))
        elif isinstance(end, KandinskyError):
            self._finish(str(end))
        else:
            self._insert(end, place)

    def _insert(self, result: BlendResult, place: Place | None) -> None:
        self._last = insert(result, place)
        if place is None or not place.image.is_valid():
            Gimp.Display.new(self._last.get_image())
        Gimp.displays_flush()
        self._panel.show_picture(result.pictures[0])
        seconds = f"{time.monotonic() - self._began:.1f}"
        done = _("Done in {seconds} s: {layer}.").format(seconds=seconds, layer=self._last.get_name())
        self._finish(" ".join([done, *result.warnings]), 1.0)

    def _finish(self, line: str, fraction: float = 0.0) -> None:
        self._panel.end(line, fraction)
        self._dialog.set_response_sensitive(Gtk.ResponseType.OK, True)


def _models() -> list[str]:
    """What the daemon offers, if one runs: none is started only to show the dialog."""
    try:
        with connect_to_running() as client:
            return [model.name for model in client.models()]
    except KandinskyError:
        return []
