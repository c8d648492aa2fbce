"""Small images to work on, and the calls that every case makes."""

import json

from gi.repository import Gegl, Gimp

from plugin_client.wire.errors import KandinskyError

RED, GREEN, BLUE, CLEAR = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)
TYPES = {
    Gimp.ImageBaseType.RGB: Gimp.ImageType.RGBA_IMAGE,
    Gimp.ImageBaseType.GRAY: Gimp.ImageType.GRAYA_IMAGE,
    Gimp.ImageBaseType.INDEXED: Gimp.ImageType.INDEXEDA_IMAGE,
}
QUICK = {"width": 64, "height": 64, "steps": 2, "prior_steps": 2, "seed": 7.0}


def new_image(width=40, height=30, base=Gimp.ImageBaseType.RGB, precision=Gimp.Precision.U8_NON_LINEAR):
    return Gimp.Image.new_with_precision(width, height, base, precision)


def add_layer(image, colour, name="layer", area=None, parent=None):
    """A layer of one colour; `area` is x, y, width, height."""
    x, y, width, height = area or (0, 0, image.get_width(), image.get_height())
    kind = TYPES[image.get_base_type()]
    layer = Gimp.Layer.new(image, name, width, height, kind, 100.0, Gimp.LayerMode.NORMAL)
    fill(layer, colour)
    image.insert_layer(layer, parent, 0)
    layer.set_offsets(x, y)
    return layer


def fill(layer, colour):
    buffer = layer.get_buffer()
    size = layer.get_width(), layer.get_height()
    buffer.set(Gegl.Rectangle.new(0, 0, *size), "R'G'B'A u8", bytes(colour) * (size[0] * size[1]))
    buffer.flush()
    layer.update(0, 0, *size)


def pixels(layer):
    """RGBA of the layer's own buffer."""
    area = Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height())
    return bytes(layer.get_buffer().get(area, 1.0, "R'G'B'A u8", Gegl.AbyssPolicy.NONE))


def seen(image):
    """What is to be seen of an image, and the names of all its layers."""
    layer = Gimp.Layer.new_from_visible(image, image, "seen")
    found = pixels(layer)
    layer.delete()
    return found, [(layer.get_name(), layer.get_offsets(), pixels(layer)) for layer in all_layers(image.get_layers())]


def all_layers(layers):
    for layer in layers:
        yield layer
        if layer.is_group():
            yield from all_layers(layer.get_children())


def call(name, image=None, drawables=(), mode=Gimp.RunMode.NONINTERACTIVE, **arguments):
    """Call one of our procedures: its status, the message of an error, and the layers."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    config = procedure.create_config()
    config.set_property("run-mode", mode)
    config.set_property("image", image)
    config.set_core_object_array("drawables", list(drawables))
    for key, value in arguments.items():
        config.set_property(key.replace("_", "-"), value)
    result = procedure.run(config)
    status = result.index(0)
    if status != Gimp.PDBStatusType.SUCCESS:
        return status, Gimp.get_pdb().get_last_error(), []
    layer = result.index(1)
    return status, "", layer.get_children() if layer.is_group() else [layer]


def blend(image, ingredients, drawables=(), **arguments):
    """The layers of a blend that must succeed."""
    given = {**QUICK, **arguments}
    status, message, layers = call("kandinsky-blend", image, drawables, ingredients=json.dumps(ingredients), **given)
    assert status == Gimp.PDBStatusType.SUCCESS, (status, message)
    return layers


def refused(name, image, drawables=(), **arguments):
    """The sentence of a call that must be refused."""
    before = seen(image) if image else None
    status, message, _ = call(name, image, drawables, **arguments)
    assert status == Gimp.PDBStatusType.CALLING_ERROR, (status, message)
    assert before is None or seen(image) == before
    return message


def check(found, expected):
    """Without pytest, an assert does not tell what it compared."""
    if found != expected:
        raise AssertionError(f"found {found!r:.300}, expected {expected!r:.300}")


def complaint(action):
    """The sentence with which `action` is refused."""
    try:
        action()
    except KandinskyError as exc:
        return str(exc)
    raise AssertionError("it was not refused")
