"""Drawing into images through the PDB, with a real daemon."""

import json
import os

from gi.repository import Gegl, Gimp, Gio

from tests.gimp.inside.blend_cases import is_a_picture, place, values
from tests.gimp.inside.images import (
    BLUE,
    GREEN,
    QUICK,
    RED,
    add_layer,
    all_layers,
    call,
    check,
    new_image,
    pixels,
    refused,
)

CAT = json.dumps([{"text": "a cat", "weight": 1.0}])
SIZE = (200, 160)
REGION = (80, 60, 40, 32)
KINDS = (
    (Gimp.ImageBaseType.RGB, Gimp.Precision.U8_NON_LINEAR),
    (Gimp.ImageBaseType.RGB, Gimp.Precision.U16_NON_LINEAR),
    (Gimp.ImageBaseType.RGB, Gimp.Precision.FLOAT_LINEAR),
    (Gimp.ImageBaseType.RGB, Gimp.Precision.FLOAT_NON_LINEAR),
    (Gimp.ImageBaseType.GRAY, Gimp.Precision.U8_NON_LINEAR),
    (Gimp.ImageBaseType.INDEXED, Gimp.Precision.U8_NON_LINEAR),
)
FORMATS = {  # and the bytes of a pixel
    Gimp.Precision.U8_NON_LINEAR: ("R'G'B'A u8", 4),
    Gimp.Precision.U16_NON_LINEAR: ("R'G'B'A u16", 8),
    Gimp.Precision.FLOAT_LINEAR: ("RGBA float", 16),
    Gimp.Precision.FLOAT_NON_LINEAR: ("R'G'B'A float", 16),
}


def image_with_a_square(*size, base=Gimp.ImageBaseType.RGB, precision=Gimp.Precision.U8_NON_LINEAR):
    """Red, with a blue square on a layer of its own."""
    image = new_image(*(size or SIZE), base=base, precision=precision)
    add_layer(image, RED, "ground")
    add_layer(image, BLUE, "square", REGION)
    return image


def image_of_kind(base, precision):
    if base != Gimp.ImageBaseType.INDEXED:
        return image_with_a_square(base=base, precision=precision)
    image = image_with_a_square()
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 8, False, False, "")
    return image


def drawn(name, image, drawables=(), **arguments):
    """The layers of a procedure that must succeed."""
    status, message, layers = call(f"kandinsky-blend-{name}", image, drawables, **{**QUICK, **arguments})
    assert status == Gimp.PDBStatusType.SUCCESS, (name, status, message)
    return layers


def native(image):
    """The pixels that are to be seen of an image, in its own precision."""
    layer = Gimp.Layer.new_from_visible(image, image, "seen")
    words, width = FORMATS[image.get_precision()]
    area = Gegl.Rectangle.new(0, 0, image.get_width(), image.get_height())
    data = bytes(layer.get_buffer().get(area, 1.0, words, Gegl.AbyssPolicy.NONE))
    layer.delete()
    return [data[at : at + width] for at in range(0, len(data), width)]


def drawn_again(image, layer):
    """What the settings in a layer make once more."""
    status, message, layers = call("kandinsky-blend-again", image, [layer])
    assert status == Gimp.PDBStatusType.SUCCESS, (status, message)
    return layers


def mask_of(layer):
    mask = layer.get_mask()
    return mask and values(mask, 0, 0, layer.get_width(), layer.get_height())


def recipe(layer):
    return json.loads(bytes(layer.get_parasite("kandinsky-blend-recipe").get_data()))


def test_outside_the_selection_no_pixel_of_any_kind_of_image_changes():
    for base, precision in KINDS:
        image = image_of_kind(base, precision)
        image.select_ellipse(Gimp.ChannelOps.REPLACE, *REGION)
        Gimp.Selection.feather(image, 6)
        chosen = values(image.get_selection(), 0, 0, *SIZE)
        layers, before = [pixels(layer) for layer in image.get_layers()], native(image)
        (made,) = drawn("repaint", image, ingredients=CAT, conversion="layer")
        check([pixels(layer) for layer in image.get_layers()[1:]], layers)
        pairs = list(zip(before, native(image), chosen, strict=True))
        changed = sum(old != new for old, new, selected in pairs if not selected)
        check((base, precision, changed), (base, precision, 0))
        drawn_anew = sum(old != new for old, new, selected in pairs if selected)
        assert drawn_anew > 100 or base == Gimp.ImageBaseType.INDEXED, (base, precision, drawn_anew)  # of two colours
        x, y, width, height = place(made)
        check(values(made.get_mask(), 0, 0, width, height), values(image.get_selection(), x, y, width, height))


def test_a_repaint_is_on_top_with_its_recipe_and_its_surroundings():
    image = image_with_a_square()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
    (made,) = drawn("repaint", image, [image.get_layers()[1]], ingredients=CAT)
    check(made.get_name(), "Kandinsky, repainted: 1 a cat, seed 7")
    check(image.get_layers()[0], made)
    check(place(made), (16, 0, 168, 156))
    check((recipe(made)["kind"], recipe(made)["strength"]), ("repaint", 1.0))
    is_a_picture(made)


def test_several_repaints_are_a_group():
    image = image_with_a_square()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
    layers = drawn("repaint", image, ingredients=CAT, count=2)
    check([bool(layer.get_mask()) for layer in layers], [True, True])
    check(layers[0].get_parent(), image.get_layers()[0])


def test_what_the_model_sees_is_all_or_one_layer():
    sources = set()
    for seen, position in (("visible", 0), ("layer", 1)):
        image = image_with_a_square()
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
        (made,) = drawn("repaint", image, [image.get_layers()[1]], ingredients=CAT, seen=seen)
        sources.add(recipe(made)["source"])
        check(image.get_item_position(made), position)
    check(len(sources), 2)


def test_a_selection_is_removed_without_words():
    image = image_with_a_square()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
    (made,) = drawn("remove", image)
    check(made.get_name(), "Kandinsky, repainted: 1 the surroundings, seed 7")


def test_a_layer_is_refined_into_one_above_it_whichever_is_selected():
    image = image_with_a_square()
    square, ground = image.get_layers()
    check(image.get_selected_layers(), [square])
    (made,) = drawn("refine", image, [ground], strength=0.5)
    check((place(made), image.get_item_position(made)), ((0, 0, *SIZE), 1))
    check(made.get_name(), "Kandinsky, refined: 1 the picture itself, seed 7")
    (same,) = drawn("refine", image, [square], strength=0.0)
    check((place(same), pixels(same)), (REGION, pixels(square)))
    check(same.get_mask(), None)


def test_a_layer_is_upscaled_into_the_image_and_to_a_size():
    image = image_with_a_square()
    square = image.get_layers()[0]  # 40 x 32 at 80, 60
    (made,) = drawn("upscale", image, [square])
    check((place(made), image.get_item_position(made)), ((0, 0, 200, 160), 0))
    check(made.get_name(), "Kandinsky, upscaled: 1 the picture itself, seed 7")
    check((recipe(made)["kind"], recipe(made)["target_width"], recipe(made)["strength"]), ("upscale", 200, 0.2))
    (wider,) = drawn("upscale", image, [square], target_width=80, strength=0.0)
    check(place(wider), (60, 44, 80, 64))  # around the same middle
    check(pixels(wider), bytes(BLUE) * (80 * 64))
    (large,) = drawn("upscale", image, [square], target_height=200, strength=0.0)
    check(place(large), (-25, -24, 250, 200))
    check((image.get_width(), image.get_height()), SIZE)


def test_without_a_selection_the_whole_layer_is_drawn_anew_if_asked():
    image = image_with_a_square()
    square = image.get_layers()[0]
    (made,) = drawn("repaint", image, [square], ingredients=CAT, region="layer")
    check((place(made), made.get_name()), (REGION, "Kandinsky, refined: 1 a cat, seed 7"))


def test_the_canvas_grows_by_pixels_and_to_a_ratio():
    image = image_with_a_square()
    before = native(image)
    (made,) = drawn("extend", image, ingredients=CAT, left=24, bottom=8)
    check((image.get_width(), image.get_height(), place(made)), (224, 168, (0, 0, 224, 168)))
    check(json.loads(bytes(made.get_parasite("kandinsky-blend-drawn-into").get_data()))["growing"]["left"], 24)
    mask = values(made.get_mask(), 0, 0, 224, 168)
    check((mask[0], mask[100 * 224 - 1], mask[224 * 167 + 200]), (255, 0, 255))
    after = native(image)
    kept = [(x, y) for y in range(144) for x in range(40, 224)]
    check(sum(after[y * 224 + x] != before[y * 200 + x - 24] for x, y in kept), 0)
    is_a_picture(made)
    image = image_with_a_square()
    drawn("extend", image, aspect=1.5)
    check((image.get_width(), image.get_height()), (240, 160))


def test_one_side_alone_sends_only_what_is_beside_it():
    image = image_with_a_square(800, 100)
    (made,) = drawn("extend", image, right=40)
    check(place(made), (720, 0, 120, 100))


def test_what_was_drawn_into_an_image_is_drawn_again_whatever_became_of_it():
    for name, layer, arguments in AGAIN:
        image = image_with_a_square()
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
        Gimp.Selection.feather(image, 6)
        made = drawn(name, image, [image.get_layers()[layer]], **arguments)[-1]
        size, before = (image.get_width(), image.get_height()), mask_of(made)
        add_layer(image, GREEN, "painted later")
        Gimp.Selection.none(image)
        (once_more,) = drawn_again(image, made)
        check((name, place(once_more), image.get_width(), image.get_height()), (name, place(made), *size))
        assert pixels(once_more) == pixels(made), name
        assert mask_of(once_more) == before, name
        check(recipe(once_more), recipe(made))
        check(image.get_item_position(once_more), image.get_item_position(made) - 1)
        (and_again,) = drawn_again(image, once_more)
        assert pixels(and_again) == pixels(made), name


def test_what_was_drawn_into_an_image_is_drawn_again_after_it_was_saved_and_opened():
    image = image_with_a_square()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
    first, second = drawn("repaint", image, ingredients=CAT, count=2)
    file = Gio.File.new_for_path(f"{os.environ['CASES_FOLDER']}/drawn.xcf")
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, file, None)
    opened = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    group = opened.get_layers()[0]
    (once_more,) = drawn_again(opened, group.get_children()[1])
    assert pixels(once_more) == pixels(second) != pixels(first)
    check(once_more.get_parent(), group)


def test_a_layer_that_does_not_hold_what_it_was_drawn_into_is_not_made_again():
    image = image_with_a_square()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
    (made,) = drawn("repaint", image, ingredients=CAT)
    (grown,) = drawn("extend", image, ingredients=CAT, left=8)
    held = json.loads(bytes(made.get_parasite(HELD).get_data()))
    dark = json.loads(bytes(grown.get_parasite(HELD).get_data()))["source"]
    for damage in ({}, {"growing": {}}, {**held, "source": "AAAA"}, {**held, "source": dark}, {**held, "size": [1, 1]}):
        made.attach_parasite(Gimp.Parasite.new(HELD, 3, json.dumps(damage).encode()))
        sentence = refused("kandinsky-blend-again", image, [made])
        assert "does not hold the picture that it was drawn into" in sentence, sentence
        assert sentence.endswith("call kandinsky-blend-repaint with that picture and the layer's settings"), sentence
    grown.attach_parasite(Gimp.Parasite.new(HELD, 3, json.dumps({"growing": {"left": 8}}).encode()))
    assert "call kandinsky-blend-extend" in refused("kandinsky-blend-again", image, [grown])


def test_a_source_of_too_many_pixels_is_not_kept():
    from plugin_client.gimp.kept import MOST_BYTES, DrawnInto, text_of
    from plugin_client.wire.messages import Picture

    wide = Picture(MOST_BYTES // 3 + 1, 1, 3, bytes(MOST_BYTES + 3))
    assert len(text_of(DrawnInto(wide, (wide.width, 1)))) < 100


def test_bad_input_is_refused_and_changes_nothing():
    image = image_with_a_square()
    add_layer(image, BLUE, "outside", (500, 500, 20, 20))
    add_layer(image, BLUE, "sliver", (0, 0, 3, 100))
    layers = {layer.get_name(): layer for layer in image.get_layers()}
    for name, select, layer, arguments, sentence in REFUSED:
        if select:
            image.select_rectangle(Gimp.ChannelOps.REPLACE, *select)
        else:
            Gimp.Selection.none(image)
        given = {"ingredients": CAT, **arguments} if name == "repaint" else arguments
        found = refused(f"kandinsky-blend-{name}", image, [layers[layer]], **{**QUICK, **given})
        check((name, arguments, found), (name, arguments, sentence))


def test_a_gray_image_is_asked_about_and_no_image_is_left_behind():
    image = image_with_a_square(base=Gimp.ImageBaseType.GRAY)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *REGION)
    assert "is gray" in refused("kandinsky-blend-remove", image, **QUICK)
    (made,) = drawn("remove", image, conversion="new-image")
    assert made.get_image() != image
    made.get_image().delete()
    check(Gimp.get_images(), [image])
    check(len(list(all_layers(image.get_layers()))), 2)


HELD = "kandinsky-blend-drawn-into"
AGAIN = [  # the procedure, the layer that is selected, and arguments
    ("repaint", 0, {"ingredients": CAT}),
    ("repaint", 0, {"ingredients": CAT, "count": 2}),
    ("repaint", 1, {"ingredients": CAT, "seen": "layer", "strength": 0.6}),
    ("remove", 0, {}),
    ("refine", 1, {"strength": 0.5}),
    ("upscale", 0, {"target_width": 150}),
    ("extend", 0, {"ingredients": CAT, "right": 24}),
]
NOTHING = 'nothing is selected: select what is to be drawn anew, or set region to "layer" for the whole layer'
SMALL = "the selection is of 1 x 1 pixels: select at least 8 in one direction"
FULL = "all of the image is selected, so nothing is left to join: select a part of it, or refine the layer"
UNIT = "must be a number from 0 to 1"
ALL, DOT = (0, 0, *SIZE), (5, 5, 1, 1)
REFUSED = [
    ("repaint", None, "ground", {}, NOTHING),
    ("remove", None, "ground", {}, NOTHING),
    ("repaint", DOT, "ground", {}, SMALL),
    ("remove", DOT, "ground", {}, SMALL),
    ("repaint", ALL, "ground", {}, FULL),
    ("remove", ALL, "ground", {}, FULL),
    ("repaint", REGION, "ground", {"ingredients": ""}, "ingredients has 0 entries: must have from 1 to 32"),
    ("repaint", REGION, "ground", {"strength": 1.5}, f"strength is 1.5: {UNIT}"),
    ("repaint", REGION, "ground", {"resamplings": 0}, "resamplings is 0: must be a whole number from 1 to 10"),
    ("repaint", REGION, "ground", {"region": "all"}, "region is 'all': must be one of selection, layer"),
    ("repaint", REGION, "ground", {"seen": "x"}, "seen is 'x': must be one of visible, layer"),
    ("remove", (5, 5, 20, 20), "outside", {"seen": "layer"}, "the selection lies beside the layer 'outside'"),
    ("refine", None, "outside", {}, "the layer 'outside' lies outside the image: move it into sight"),
    (
        "refine",
        None,
        "sliver",
        {},
        "of the layer 'sliver' 3 x 100 pixels are in sight: must be at least 8 x 8",
    ),
    ("refine", None, "ground", {"strength": -0.1}, f"strength is -0.1: {UNIT}"),
    ("refine", None, "ground", {"steps": -1}, "steps is -1: must be a whole number from 0 to 1000"),
    ("upscale", None, "outside", {}, "the layer 'outside' lies outside the image: move it into sight"),
    (
        "upscale",
        None,
        "ground",
        {"target_width": 199},
        "199 x 159 pixels are fewer than the 200 x 160 of the picture, and upscaling makes none smaller: give a larger "
        "size",
    ),
    (
        "upscale",
        None,
        "ground",
        {"target_width": 8000},
        "8000 x 6400 pixels are too many for one picture: at most 4579 x 3663",
    ),
    (
        "upscale",
        None,
        "ground",
        {"target_height": -1},
        "target-height is -1: must be a number of pixels up to 8192, or 0 to follow the other or the image",
    ),
    ("extend", None, "ground", {}, "the picture does not grow: give pixels for at least one side"),
    ("extend", None, "ground", {"left": -1}, "left is -1: must be a whole number from 0 to 4096"),
    (
        "extend",
        None,
        "ground",
        {"left": 1, "aspect": 2.0},
        "aspect and pixels for a side were given: give one of them",
    ),
    (
        "extend",
        None,
        "ground",
        {"aspect": 50.0},
        "aspect is 50.0: must be a number from 0.05 to 20, or 0 to grow by pixels",
    ),
    ("extend", None, "ground", {"aspect": 1.25}, "the picture does not grow: give pixels for at least one side"),
]
