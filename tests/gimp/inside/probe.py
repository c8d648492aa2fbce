"""Runs inside a GIMP with a window, as its batch: answers what the test beside it asks about the images.

A question is a file that holds the name of a function here; the answer is JSON in another file.
"""

import hashlib
import json
import os
import time
from pathlib import Path

from gi.repository import Gegl, Gimp, Gio

from tests.gimp.inside.images import CLEAR, GREEN, call, new_image, pixels, seen
from tests.gimp.inside.images import add_layer as add_layer_of_colour

MOST_DISPLAYS = 100  # that a test has opened; GIMP tells no list of them
FOLDER = Path(os.environ["CASES_FOLDER"])


def serve():
    Gegl.init(None)
    while True:
        question = FOLDER / "question"
        if question.exists():
            answer = globals()[question.read_text()]()
            question.unlink()
            (FOLDER / "answer.part").write_text(json.dumps(answer))
            (FOLDER / "answer.part").rename(FOLDER / "answer")
        time.sleep(0.02)


def images():
    """Of each image its layers' names, and a hash of everything that is to be seen.

    Those in which the plug-in reads and fills layers have no undo, and are left out.
    """
    theirs = [image for image in Gimp.get_images() if image.undo_is_enabled()]
    return [[layer.get_name() for layer in image.get_layers()] + [_digest(image)] for image in theirs]


def fresh_image():
    """Close all images, and open the one with the layers red and blue, both of them selected."""
    for display in displays():
        display.delete()
    for image in Gimp.get_images():
        image.delete()
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(str(FOLDER / "window.xcf")))
    image.set_selected_layers(image.get_layers())
    Gimp.Display.new(image)


def select_the_lowest_layer():
    image = Gimp.get_images()[0]
    image.set_selected_layers(image.get_layers()[-1:])
    Gimp.displays_flush()


def select_a_part():
    """Select an ellipse in the middle, with a soft edge."""
    image = Gimp.get_images()[0]
    width, height = image.get_width(), image.get_height()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, width / 4, height / 4, width / 2, height / 2)
    Gimp.Selection.feather(image, 3)
    Gimp.displays_flush()


def star_and_ring():
    """Those of the demo, large, as the two layers of an image, both of them selected."""
    image = large_star()
    ring = Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, demo_picture("ring"))
    image.insert_layer(ring, None, 1)
    ring.scale(image.get_width(), image.get_height(), False)
    ring.set_name("ring")
    image.set_selected_layers(image.get_layers())
    Gimp.Display.new(image)


def star_to_repaint():
    """The star of the demo, large and alone, and selected with a soft edge."""
    image = large_star()
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 20, 24, 344, 344)
    Gimp.Selection.feather(image, 16)
    Gimp.Display.new(image)


def large_star():
    """An image of the star of the demo, which nothing shows yet; no other image is left open."""
    for display in displays():
        display.delete()
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, demo_picture("star"))
    image.scale(384, 384)
    image.get_layers()[0].set_name("star")
    return image


def demo_picture(name):
    return Gio.File.new_for_path(str(Path(os.environ["PROJECT"]) / "install" / "pictures" / f"{name}.png"))


def large_image():
    """An image of the size that the model was trained on, shown beside the others."""
    image = new_image(768, 768)
    layer = add_layer_of_colour(image, GREEN, "large")
    image.set_selected_layers([layer])
    Gimp.Display.new(image)


def six_large_layers():
    """An image as a camera takes it, with six layers that all have masks, and all of them selected."""
    image = new_image(6000, 4000)
    layers = [Gimp.Layer.new(image, f"large {n}", 6000, 4000, Gimp.ImageType.RGBA_IMAGE, 100.0, 28) for n in range(6)]
    for layer in layers:
        image.insert_layer(layer, None, 0)
        layer.fill(Gimp.FillType.WHITE)
        layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    image.set_selected_layers(layers)
    Gimp.Display.new(image)


def pictures():
    """A hash of the pixels of each layer of the last image."""
    return [hashlib.sha256(pixels(layer)).hexdigest() for layer in Gimp.get_images()[-1].get_layers()]


def menu():
    """Label and blurb of two of our menu entries."""
    found = [Gimp.get_pdb().lookup_procedure(name) for name in ("kandinsky-blend", "kandinsky-blend-text-to-image")]
    return [[procedure.get_menu_label(), procedure.get_blurb()] for procedure in found]


def paint():
    """What an artist does meanwhile; the pixel in the corner afterwards."""
    layer = Gimp.get_images()[0].get_layers()[-1]
    Gimp.context_set_brush_size(20)
    Gimp.pencil(layer, [5, 5, 60, 5])
    return list(layer.get_buffer().get(Gegl.Rectangle.new(5, 5, 1, 1), 1.0, "R'G'B' u8", Gegl.AbyssPolicy.NONE))


def add_layer():
    """What an artist does while the dialog is open: a layer that is clear."""
    add_layer_of_colour(Gimp.get_images()[0], CLEAR, "clear")
    Gimp.displays_flush()


def select():
    """The quarter in the upper left corner."""
    image = Gimp.get_images()[0]
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, image.get_width() // 2, image.get_height() // 2)
    Gimp.displays_flush()


def deselect():
    Gimp.Selection.none(Gimp.get_images()[0])
    Gimp.displays_flush()


def mask():
    """Width, height, least and most of the mask of the topmost layer."""
    found = Gimp.get_images()[0].get_layers()[0].get_mask()
    size = found.get_width(), found.get_height()
    values = found.get_buffer().get(Gegl.Rectangle.new(0, 0, *size), 1.0, "Y u8", Gegl.AbyssPolicy.NONE)
    return [*size, min(values), max(values)]


def select_the_second_variation():
    image = Gimp.get_images()[-1]
    image.set_selected_layers([image.get_layers()[0].get_children()[1]])
    Gimp.displays_flush()


def variations():
    """A hash of the pixels of each layer in the topmost group of the last image."""
    children = Gimp.get_images()[-1].get_layers()[0].get_children()
    return [hashlib.sha256(pixels(layer)).hexdigest() for layer in children]


def repeat_text():
    """As Filters > Repeat does it with Text to Image: the name of the layer."""
    _, message, layers = call("kandinsky-blend-text-to-image", mode=Gimp.RunMode.WITH_LAST_VALS)
    return [message, *(layer.get_name() for layer in layers)]


def repeat_sweep():
    """As Filters > Repeat does it: the names of the layers of the image that comes of it."""
    image = next(image for image in Gimp.get_images() if not image.get_layers()[0].get_name().startswith("Frame "))
    _, _, (last,) = call("kandinsky-blend-sweep", image, mode=Gimp.RunMode.WITH_LAST_VALS)
    names = [layer.get_name() for layer in last.get_image().get_layers()]
    displays()[-1].delete()  # and the image with its only view
    return names


def frames():
    """The names of the first image's layers, from the lowest up; those of a group in a list of their own."""
    return [
        [child.get_name() for child in layer.get_children()[::-1]] if layer.is_group() else layer.get_name()
        for layer in Gimp.get_images()[0].get_layers()[::-1]
    ]


def close_image():
    """As an artist does who closes every view without saving."""
    for display in displays():
        display.delete()


def displays():
    """In the order in which they were opened."""
    return [Gimp.Display.get_by_id(number) for number in filter(Gimp.Display.id_is_valid, range(MOST_DISPLAYS))]


def _digest(image):
    return hashlib.sha256(repr(seen(image)).encode()).hexdigest()
