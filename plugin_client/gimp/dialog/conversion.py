"""The question what is to become of colours that an image cannot hold."""

from __future__ import annotations

from gi.repository import Gimp, Gtk

from plugin_client.editor.translation import _
from plugin_client.gimp.arguments import Conversion

_CONVERSIONS: dict[int, Conversion] = {1: "layer", 2: "new-image"}


def ask_conversion(parent: Gtk.Window, image: Gimp.Image) -> Conversion | None:
    """Ask the artist where the image is gray or indexed; None is to do nothing."""
    if image.get_base_type() == Gimp.ImageBaseType.RGB:
        return "layer"
    question = Gtk.MessageDialog(
        transient_for=parent,
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
