"""Sweeps through the PDB, with a real daemon, and their export as animations by GIMP itself."""

import json
import os
from pathlib import Path

from gi.repository import Gimp, Gio

from tests.gimp.inside.images import (
    BLUE,
    QUICK,
    RED,
    add_layer,
    call,
    check,
    new_image,
    pixels,
    refused,
    seen,
)

FOLDER = Path(os.environ["CASES_FOLDER"])
FIRST, LAST = "Frame 1 of 3 (100ms) (replace): ", "Frame 3 of 3 (100ms) (replace): "


def an_image():
    image = new_image()
    layer = add_layer(image, BLUE, "blue")
    add_layer(image, RED, "red")
    ingredients = [{"layer": layer.get_tattoo(), "weight": 1.0}, {"text": "a cat (5ms) (combine)", "weight": 0.1}]
    return image, json.dumps(ingredients)


def sweep(image, ingredients, **arguments):
    """The frames, from the first to the last."""
    given = {"ingredients": ingredients, "to": "[0.2, 0.9]", "frames": 3, **QUICK, **arguments}
    status, message, layers = call("kandinsky-blend-sweep", image, **given)
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    group = layers[0].get_parent()
    return (group.get_children() if group else layers[0].get_image().get_layers())[::-1]


def test_the_frames_come_as_a_group_with_the_first_one_lowest():
    image, ingredients = an_image()
    before = seen(image)[1]
    frames = sweep(image, ingredients)
    (group,) = {frame.get_parent() for frame in frames}
    check(
        group.get_name(),
        "Kandinsky sweep: 1 blue + 0.1 a cat (5ms) (combine) to 0.2 blue + 0.9 a cat (5ms) (combine), seed 7",
    )
    check(frames[0].get_name(), f"{FIRST}1 blue + 0.1 a cat (5ms) (combine), seed 7")
    check(frames[1].get_name()[len(FIRST) :], "0.6 blue + 0.5 a cat (5ms) (combine), seed 7")
    check(frames[2].get_name(), f"{LAST}0.2 blue + 0.9 a cat (5ms) (combine), seed 7")
    check(image.get_item_position(frames[0]), 2)
    check([(frame.get_width(), frame.get_height()) for frame in frames], [(40, 30)] * 3)
    check(len({pixels(frame) for frame in frames}), 3)
    check(seen(image)[1][4:], before)


def test_its_ends_are_the_blends_of_their_weights():
    image, ingredients = an_image()
    first, _, last = sweep(image, ingredients)
    for frame, weights in ((first, (1.0, 0.1)), (last, (0.2, 0.9))):
        items = [{**item, "weight": weight} for item, weight in zip(json.loads(ingredients), weights, strict=True)]
        _, _, (alone,) = call("kandinsky-blend", image, ingredients=json.dumps(items), **QUICK)
        check(pixels(alone), pixels(frame))


def test_the_settings_of_any_frame_make_it_again():
    image, ingredients = an_image()
    frame = sweep(image, ingredients)[1]
    _, _, (again,) = call("kandinsky-blend-again", image, [frame])
    check(again.get_name(), "Kandinsky: 0.6 blue + 0.5 a cat (5ms) (combine), seed 7")
    check(pixels(again), pixels(frame))


def test_a_new_image_of_frames_is_exported_as_an_animation_by_gimp():
    image, ingredients = an_image()
    before = seen(image)
    frames = sweep(image, ingredients, frames_as="new-image", frames=4)
    check(seen(image), before)
    made = frames[0].get_image()
    check(made.get_layers()[::-1], frames)
    for format_, how in (("gif", {"as_animation": True}), ("webp", {"animation": True, "lossless": True})):
        export(made, format_, **how)
    (FOLDER / "frames.json").write_text(json.dumps([pixels(frame).hex() for frame in frames]))


def export(image, format_, **how):
    procedure = Gimp.get_pdb().lookup_procedure(f"file-{format_}-export")
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_property("file", Gio.File.new_for_path(str(FOLDER / f"sweep.{format_}")))
    for name, value in how.items():
        config.set_property(name.replace("_", "-"), value)
    check(procedure.run(config).index(0), Gimp.PDBStatusType.SUCCESS)


def test_a_gray_image_may_have_its_frames_in_a_new_one_without_being_asked():
    image = new_image(base=Gimp.ImageBaseType.GRAY)
    ingredients = '[{"text": "a cat", "weight": 1}]'
    given = {"ingredients": ingredients, "to": "[0.5]", "frames": 2, **QUICK}
    assert "is gray" in refused("kandinsky-blend-sweep", image, **given)
    frames = sweep(image, ingredients, to="[0.5]", frames=2, frames_as="new-image")
    check([frame.is_rgb() for frame in frames], [True, True])


def test_an_empty_prompt_is_left_out_with_its_weight_at_the_end():
    image, ingredients = an_image()
    with_empty = json.dumps([{"text": "", "weight": 0.3}, *json.loads(ingredients)])
    frames = sweep(image, with_empty, to="[0.5, 0.2, 0.9]")
    check(frames[2].get_name(), f"{LAST}0.2 blue + 0.9 a cat (5ms) (combine), seed 7")


def test_the_last_values_make_a_sweep_too():
    forget_last_values()  # those of the window's cases name layers of their own images
    image, ingredients = an_image()
    frames = sweep(image, ingredients, mode=Gimp.RunMode.WITH_LAST_VALS)
    check(len(frames), 3)


def forget_last_values():
    """Then GIMP takes those of the call for the last ones."""
    for file in Path(os.environ["GIMP3_DIRECTORY"], "plug-in-settings").glob("*-kandinsky-blend-sweep.last"):
        file.unlink()


def test_arguments_are_refused_by_name():
    image, ingredients = an_image()
    good = {"ingredients": ingredients, "to": "[0.2, 0.9]", "frames": 3, **QUICK}
    for name, value, sentence in REFUSED:
        check((name, refused("kandinsky-blend-sweep", image, **{**good, name: value})), (name, sentence))


REFUSED = [
    ("ingredients", "", "ingredients has 0 entries: must have from 1 to 32"),
    ("to", "", "to has 0 weights, and there are 2 items: give one for each"),
    ("to", "0.2, 0.9", "to is '0.2, 0.9', which is no JSON: Extra data: line 1 column 4 (char 3)"),
    ("to", "[0.2]", "to has 1 weights, and there are 2 items: give one for each"),
    ("to", '[0.2, "1"]', "to[1] is '1': must be a number from -1000 to 1000"),
    ("to", "[1, 0.1]", "the weights at the end (to) are those at the start: a sweep needs at least one that moves"),
    ("to", "[-1, -0.1]", "frame 2 of 3 cannot be made: items have no weight: at least one must not be 0"),
    ("frames", 1, "frames is 1: must be a whole number from 2 to 200"),
    ("frames", 201, "frames is 201: must be a whole number from 2 to 200"),
    ("frames_as", "movie", "frames-as is 'movie': must be one of group, new-image"),
    ("conversion", "image", "conversion is 'image': must be one of ask, layer, new-image"),
    ("steps", -1, "steps is -1: must be a whole number from 0 to 1000"),
    ("seed", 1.5, "seed is 1.5: must be a whole number, or -1 to draw one"),
]
