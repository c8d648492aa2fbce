"""Runs inside a GIMP that is killed meanwhile: a long blend, of a saved image."""

import json
import os
from pathlib import Path

from gi.repository import Gegl, Gimp, Gio

from tests.gimp.inside.images import BLUE, QUICK, RED, add_layer, call, new_image

FILE = Gio.File.new_for_path(str(Path(os.environ["CASES_FOLDER"], "killed.xcf")))
LONG = {**QUICK, "steps": 1000}  # seconds even of the smallest model, on a machine where GIMP takes as long


def ingredients(image):
    blue, red = (layer.get_tattoo() for layer in image.get_layers())
    return json.dumps([{"layer": blue, "weight": 0.3}, {"layer": red, "weight": 0.7}])


def image_of_two_layers():
    image = new_image(64, 64)
    add_layer(image, RED, "red")
    add_layer(image, BLUE, "blue")
    return image


def blend_for_long(image):
    return call("kandinsky-blend", image, ingredients=ingredients(image), **LONG)


def run():
    Gegl.init(None)
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image_of_two_layers(), FILE, None)
    blend_for_long(Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, FILE))
