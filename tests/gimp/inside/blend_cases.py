"""Blends through the PDB, with a real daemon."""

import json
import os
from pathlib import Path

from gi.repository import Gegl, Gimp, Gio

from tests.gimp.inside.images import (
    BLUE,
    QUICK,
    RED,
    add_layer,
    all_layers,
    blend,
    call,
    check,
    new_image,
    pixels,
    refused,
    seen,
)

NAME = "Kandinsky: 0.3 blue + 0.3 red + 0.4 a cat, seed 7"
RECIPE = "kandinsky-blend-recipe"


def two_layers_and_a_prompt(image):
    first, second = image.get_layers()[:2]
    return [
        {"layer": first.get_tattoo(), "weight": 0.3},
        {"layer": second.get_tattoo(), "weight": 0.3},
        {"text": "a cat", "weight": 0.4},
    ]


def image_of_two_layers(*size, **kind):
    image = new_image(*size, **kind)
    add_layer(image, RED, "red")
    add_layer(image, BLUE, "blue")
    return image


def is_a_picture(layer):
    assert len(set(pixels(layer))) > 10, f"{layer.get_name()} holds {len(set(pixels(layer)))} values"


def place(layer):
    return (*layer.get_offsets()[1:], layer.get_width(), layer.get_height())


def values(channel, *area):
    """How much of each pixel of an area a mask or selection lets through."""
    return bytes(channel.get_buffer().get(Gegl.Rectangle.new(*area), 1.0, "Y u8", Gegl.AbyssPolicy.NONE))


def test_two_layers_and_a_prompt_become_a_layer():
    image = image_of_two_layers()
    before = seen(image)[1]
    (layer,) = blend(image, two_layers_and_a_prompt(image))
    check(layer.get_name(), NAME)
    check(place(layer), (0, 0, 40, 30))
    is_a_picture(layer)
    check(seen(image)[1][1:], before)
    check(image.get_layers()[0], layer)


def test_every_precision_gets_the_same_picture():
    expected = None
    for precision in (Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.HALF_NON_LINEAR, Gimp.Precision.FLOAT_LINEAR):
        image = image_of_two_layers(64, 64, precision=precision)
        (layer,) = blend(image, two_layers_and_a_prompt(image))
        check(image.get_precision(), precision)
        expected = expected or pixels(layer)
        check(pixels(layer), expected)


def test_a_gray_image_is_asked_about_then_converts_only_the_new_layer():
    image = image_of_two_layers(base=Gimp.ImageBaseType.GRAY)
    ingredients = two_layers_and_a_prompt(image)
    assert "is gray" in refused("kandinsky-blend", image, ingredients=json.dumps(ingredients))
    before = seen(image)[1]
    (layer,) = blend(image, ingredients, conversion="layer")
    check(layer.is_gray(), True)
    is_a_picture(layer)
    check(seen(image)[1][1:], before)


def test_an_indexed_image_may_have_its_result_in_a_new_image():
    image = image_of_two_layers()
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 8, False, False, "")
    ingredients = two_layers_and_a_prompt(image)
    assert "is indexed" in refused("kandinsky-blend", image, ingredients=json.dumps(ingredients))
    before = seen(image)
    (layer,) = blend(image, ingredients, conversion="new-image")
    check(seen(image), before)
    assert layer.get_image() != image
    check((layer.is_rgb(), place(layer)), (True, (0, 0, 40, 30)))
    (layer,) = blend(image, ingredients, conversion="layer")
    check(layer.is_indexed(), True)
    check(layer.get_image(), image)


def test_a_selection_is_where_it_goes():
    image = image_of_two_layers()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 10, 5, 20, 12)
    (layer,) = blend(image, two_layers_and_a_prompt(image))
    check(place(layer), (10, 5, 20, 12))
    mask = layer.get_mask()
    assert mask is not None
    check(values(mask, 0, 0, 20, 12), values(image.get_selection(), 10, 5, 20, 12))
    assert min(values(mask, 5, 5, 10, 2)) > min(values(mask, 0, 0, 20, 12))
    _, has_selection, *bounds = Gimp.Selection.bounds(image)
    check((has_selection, bounds), (True, [10, 5, 30, 17]))


def test_a_group_and_a_layer_with_negative_offsets_are_blended_and_the_result_joins_the_selected():
    image = image_of_two_layers()
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    inner = add_layer(image, RED, "inner", (-5, -5, 20, 20), group)
    image.set_selected_layers([inner])
    ingredients = [{"layer": group.get_tattoo(), "weight": 0.5}, {"layer": inner.get_tattoo(), "weight": 0.5}]
    (layer,) = blend(image, ingredients, [inner])
    check(layer.get_parent(), group)
    check(image.get_item_position(layer), 0)
    check(place(layer), (0, 0, 40, 30))


def test_mask_and_opacity_change_the_picture():
    image = image_of_two_layers(64, 64)
    top = image.get_layers()[0]
    ingredients = [{"layer": top.get_tattoo(), "weight": 1.0, "backdrop": [0, 255, 0]}]
    (plain,) = blend(image, ingredients)
    top.set_opacity(30.0)
    (faint,) = blend(image, ingredients)
    assert pixels(plain) != pixels(faint)


def test_several_variations_come_as_a_group_in_order():
    image = image_of_two_layers()
    layers = blend(image, two_layers_and_a_prompt(image), count=3)
    (group,) = {layer.get_parent() for layer in layers}
    check(group.get_name(), NAME)
    check(group.get_children(), layers)
    check([layer.get_name() for layer in layers], [f"{NAME}, variation {n}" for n in (1, 2, 3)])
    check(len({pixels(layer) for layer in layers}), 3)


def test_without_a_seed_another_one_is_drawn_each_time():
    image = image_of_two_layers()
    names = {blend(image, [{"text": "a cat", "weight": 1.0}], seed=-1.0)[0].get_name() for _ in range(2)}
    check(len(names), 2)


def test_saved_and_opened_again_the_settings_give_the_same_picture():
    image = image_of_two_layers(64, 64)
    blend(image, two_layers_and_a_prompt(image))
    file = Gio.File.new_for_path(str(Path(os.environ["CASES_FOLDER"], "saved.xcf")))
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, file, None)
    opened = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    made = opened.get_layers()[0]
    status, message, layers = call("kandinsky-blend-again", opened, [made])
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    check(pixels(layers[0]), pixels(made))
    check(layers[0].get_name(), f"{NAME} #1")
    recipes = [bytes(layer.get_parasite(RECIPE).get_data()) for layer in (made, layers[0])]
    check(recipes[1], recipes[0])


def test_the_last_values_are_used_with_an_empty_dialog_skipped():
    image = image_of_two_layers()
    status, message, layers = call(
        "kandinsky-blend",
        image,
        mode=Gimp.RunMode.WITH_LAST_VALS,
        ingredients=json.dumps(two_layers_and_a_prompt(image)),
        **QUICK,
    )
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    is_a_picture(layers[0])


def test_text_to_image_needs_no_image():
    status, message, layers = call("kandinsky-blend-text-to-image", None, prompt="a cat", **QUICK)
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    check(place(layers[0]), (0, 0, 64, 64))
    check(layers[0].get_name(), "Kandinsky: 1 a cat, seed 7")


def test_an_empty_prompt_is_left_out():
    image = image_of_two_layers()
    cat, empty = {"text": "a cat", "weight": 1.0}, {"text": " \n", "weight": 0.5}
    (layer,) = blend(image, [empty, cat, empty])
    check(layer.get_name(), "Kandinsky: 1 a cat, seed 7")
    sentence = "there is nothing to blend: write a prompt or add a layer"
    check(refused("kandinsky-blend", image, ingredients=json.dumps([empty, empty])), sentence)


def test_a_layer_whose_mask_is_edited_is_that_layer():
    image = image_of_two_layers()
    top = image.get_layers()[0]
    top.add_mask(top.create_mask(Gimp.AddMaskType.WHITE))
    status, message, layers = call("kandinsky-blend-variations", image, [top.get_mask()], **QUICK)
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    check(layers[0].get_name(), "Kandinsky: 1 blue, seed 7")


def test_a_channel_leads_to_the_selected_layer():
    image = image_of_two_layers()
    channel = Gimp.Channel.new(image, "channel", 40, 30, 50.0, Gimp.context_get_foreground())
    image.insert_channel(channel, None, 0)
    image.set_selected_layers(image.get_layers()[:1])
    status, message, _ = call("kandinsky-blend-variations", image, [channel], **QUICK)
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))


def test_a_long_strip_is_padded():
    image = image_of_two_layers(4000, 40)
    (layer,) = blend(image, [{"layer": image.get_layers()[0].get_tattoo(), "weight": 1.0}], width=0, height=0)
    check(place(layer), (0, 0, 4000, 40))


def test_a_result_among_the_ingredients_has_a_short_name():
    image = image_of_two_layers()
    (first,) = blend(image, [{"text": "a cat", "weight": 1.0}])
    (second,) = blend(image, [{"layer": first.get_tattoo(), "weight": 1.0}])
    check(second.get_name(), "Kandinsky: 1 result 7, seed 7")


def test_variations_of_a_layer():
    image = image_of_two_layers()
    top = image.get_layers()[0]
    status, message, layers = call("kandinsky-blend-variations", image, [top], count=2, **QUICK)
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    check([layer.get_name() for layer in layers], [f"Kandinsky: 1 blue, seed 7, variation {n}" for n in (1, 2)])


def test_arguments_are_refused_by_name():
    image = image_of_two_layers()
    good = json.dumps(two_layers_and_a_prompt(image))
    for name, value, sentence in REFUSED:
        found = refused("kandinsky-blend", image, **{"ingredients": good, **QUICK, name: value})
        check((name, found), (name, sentence))
    check(refused("kandinsky-blend-text-to-image", None), "prompt is empty: say what the picture is of")


def test_a_layer_that_is_not_there_is_refused():
    image = image_of_two_layers()
    text = json.dumps([{"layer": 4711, "weight": 1.0}])
    check(
        refused("kandinsky-blend", image, ingredients=text),
        f"the image {image.get_name()} has no layer with the tattoo 4711",
    )


def test_a_layer_without_settings_is_refused():
    image = image_of_two_layers()
    check(
        refused("kandinsky-blend-again", image, [image.get_layers()[0]]),
        "the layer 'blue' was not made by Kandinsky Blend: it carries no settings",
    )
    check(refused("kandinsky-blend-variations", image, image.get_layers()), "2 layers are selected: select one")


def test_a_layer_of_another_image_is_refused():
    image, other = image_of_two_layers(), image_of_two_layers()
    foreign = other.get_layers()[:1]
    for name in ("kandinsky-blend-variations", "kandinsky-blend-again"):
        check((name, refused(name, image, foreign)), (name, "the layer 'blue' is of another image"))


def test_any_letter_may_stand_in_a_prompt_and_in_a_layer_name():
    image = image_of_two_layers()
    red = add_layer(image, RED, "Ébauche 猫")
    ingredients = [{"layer": red.get_tattoo(), "weight": 0.5}, {"text": "кот\0в шляпе", "weight": 0.5}]
    (made,) = blend(image, ingredients)
    check(made.get_name(), "Kandinsky: 0.5 Ébauche 猫 + 0.5 кот в шляпе, seed 7")
    status, message, layers = call("kandinsky-blend-again", image, [made])
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    check(pixels(layers[0]), pixels(made))


def test_ingredients_are_refused_by_name():
    image = image_of_two_layers()
    for text, sentence in REFUSED_INGREDIENTS:
        check(refused("kandinsky-blend", image, ingredients=text, **QUICK), sentence)


def test_a_layer_that_was_deleted_is_refused():
    image = image_of_two_layers()
    ingredients = json.dumps(two_layers_and_a_prompt(image))
    blue = image.get_layers()[0]
    tattoo = blue.get_tattoo()
    image.remove_layer(blue)
    sentence = f"the image {image.get_name()} has no layer with the tattoo {tattoo}"
    check(refused("kandinsky-blend", image, ingredients=ingredients), sentence)


def test_no_image_is_left_behind():
    image = image_of_two_layers()
    blend(image, two_layers_and_a_prompt(image))
    check(Gimp.get_images(), [image])
    check(len(list(all_layers(image.get_layers()))), 3)


REFUSED_INGREDIENTS = [
    ('{"text": "a"}', "ingredients is {'text': 'a'}: must be a list"),
    ('[{"text": "a"}]', "ingredients[0] lacks the field 'weight'"),
    ('[{"text": "a", "weight": NaN}]', "ingredients[0].weight is nan: must be a number from -1000 to 1000"),
    ('[{"text": "a", "weight": "1"}]', "ingredients[0].weight is '1': must be a number from -1000 to 1000"),
    ('[{"text": "a", "weight": 1, "colour": 3}]', "ingredients[0] has an unknown field 'colour'"),
    ('[{"layer": 2.0, "weight": 1}]', "ingredients[0].layer is 2.0: must be a whole number from 1 to 4294967295"),
    (" " * (2**20 + 1), "ingredients has 1048577 characters: may have 1048576"),
]
REFUSED = [
    ("ingredients", "", "ingredients has 0 entries: must have from 1 to 32"),
    ("steps", -1, "steps is -1: must be a whole number from 0 to 1000"),
    ("steps", 2000, "steps is 2000: must be a whole number from 0 to 1000"),
    ("prior_steps", -3, "prior-steps is -3: must be a whole number from 1 to 1000"),
    ("guidance", 101.0, "guidance is 101.0: must be a number from 0 to 100"),
    ("prior_guidance", -1.0, "prior-guidance is -1.0: must be a number from 0 to 100"),
    ("width", 4096, "width is 4096: must be a whole number from 0 to 2048"),
    ("height", -1, "height is -1: must be a number of pixels, or 0 to follow the image or selection"),
    ("seed", 1.5, "seed is 1.5: must be a whole number, or -1 to draw one"),
    ("seed", -2.0, "seed is -2: must be a whole number from 0 to 9007199254740991"),
    ("count", 65, "count is 65: must be a whole number from 1 to 64"),
    ("blending", "cubic", "blending is 'cubic': must be one of linear, spherical"),
    ("sampler", "euler", "sampler is 'euler': must be one of auto, own, ddim, p_sampler, dpm++, dpm++_karras, unipc"),
    ("conversion", "image", "conversion is 'image': must be one of ask, layer, new-image"),
]
