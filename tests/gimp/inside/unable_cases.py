"""Drawing into images through the PDB, where the daemon offers a model that can only blend."""

from gi.repository import Gimp

from tests.gimp.inside.images import QUICK, check, refused
from tests.gimp.inside.redraw_cases import CAT, REGION, image_with_a_square

PART = "the model blender cannot draw into a part of a picture: choose another model"
WHOLE = "the model blender cannot refine a picture: choose another model"
LARGER = "the model blender cannot upscale a picture: choose another model"
REFUSED = (
    ("repaint", {"ingredients": CAT}, PART),
    ("repaint", {"ingredients": CAT, "region": "layer"}, WHOLE),
    ("remove", {}, PART),
    ("extend", {"left": 8}, PART),
    ("refine", {}, WHOLE),
    ("upscale", {}, LARGER),
)


def test_a_model_that_cannot_is_named_and_nothing_changes():
    image = image_with_a_square()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
    for name, arguments, sentence in REFUSED:
        found = refused(f"kandinsky-blend-{name}", image, image.get_layers()[:1], **{**QUICK, **arguments})
        check((name, found), (name, sentence))
    check((image.get_width(), image.get_height()), (200, 160))
