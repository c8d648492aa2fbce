"""Layers as the model is to see them."""

import random

from gi.repository import Gegl, Gimp

from plugin_client.gimp.layer_reading import at_once, reading
from plugin_client.gimp.layer_writing import filling
from plugin_client.wire.messages import Picture
from tests.gimp.inside.images import BLUE, CLEAR, GREEN, RED, add_layer, check, complaint, fill, new_image, pixels, seen


def read_layer(layer, most=2048):
    return at_once(reading(layer, most))


def colours(picture):
    data = picture.pixels
    return {tuple(data[n : n + 4]) for n in range(0, len(data), 4)}


def test_a_plain_layer_is_read_as_it_is():
    image = new_image()
    layer = add_layer(image, RED)
    add_layer(image, BLUE, "above")
    picture = read_layer(layer)
    check((picture.width, picture.height, picture.channels), (40, 30, 4))
    check(colours(picture), {RED})


def test_any_precision_is_read_as_srgb():
    for precision in (
        Gimp.Precision.U16_NON_LINEAR,
        Gimp.Precision.HALF_LINEAR,
        Gimp.Precision.FLOAT_LINEAR,
        Gimp.Precision.FLOAT_NON_LINEAR,
    ):
        image = new_image(precision=precision)
        layer = add_layer(image, (200, 100, 50, 255))
        check((precision, colours(read_layer(layer))), (precision, {(200, 100, 50, 255)}))


def test_gray_is_read_as_rgb():
    image = new_image(base=Gimp.ImageBaseType.GRAY)
    layer = add_layer(image, (120, 120, 120, 255))
    check(colours(read_layer(layer)), {(120, 120, 120, 255)})


def test_indexed_is_read_as_rgb():
    image = new_image()
    add_layer(image, RED)
    image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 8, False, False, "")
    check(colours(read_layer(image.get_layers()[0])), {RED})


def test_mask_and_opacity_are_seen():
    image = new_image()
    layer = add_layer(image, RED)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 20, 30)
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.SELECTION))
    layer.set_opacity(60.0)
    found = colours(read_layer(layer))
    assert found == {(255, 0, 0, 153), (0, 0, 0, 0)} or found == {(255, 0, 0, 153), (255, 0, 0, 0)}, found


def test_a_mask_hides_a_part_of_what_is_half_clear_unless_it_is_switched_off():
    image = new_image()
    layer = add_layer(image, (255, 0, 0, 100))
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    fill(layer.get_mask(), (188, 188, 188, 255))  # 128 of 255, as masks are linear
    assert colours(read_layer(layer)) <= {(255, 0, 0, 50), (255, 0, 0, 51)}, colours(read_layer(layer))
    layer.set_apply_mask(False)
    check(colours(read_layer(layer)), {(255, 0, 0, 100)})


def test_a_mask_that_is_shown_is_seen_instead():
    image = new_image()
    layer = add_layer(image, RED)
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    layer.set_show_mask(True)
    check(colours(read_layer(layer)), {(255, 255, 255, 255)})


def test_a_layer_with_a_filter_is_the_same_in_strips_as_in_one():
    image = new_image(1200, 900)
    layer = add_layer(image, CLEAR, area=(-30, 20, 1200, 900))
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 100, 800, 700)
    Gimp.context_set_foreground(Gegl.Color.new("red"))
    layer.edit_fill(Gimp.FillType.FOREGROUND)
    Gimp.Selection.none(image)
    layer.append_filter(Gimp.DrawableFilter.new(layer, "gegl:gaussian-blur", "blur"))
    expected = Gimp.Layer.new_from_visible(image, image, "expected")
    area = Gegl.Rectangle.new(0, 20, 1170, 880)
    whole = bytes(expected.get_buffer().get(area, 1.0, "R'G'B'A u8", Gegl.AbyssPolicy.NONE))
    expected.delete()
    picture = read_layer(layer)
    check((picture.width, picture.height), (1170, 880))
    check(picture.pixels == whole, True)


def test_what_is_deleted_while_it_is_read_is_read_as_it_was():
    image = new_image(600, 600)
    layer = add_layer(image, RED)
    steps = reading(layer)
    next(steps)
    image.remove_layer(layer)
    check(colours(at_once(steps)), {RED})
    check(len(Gimp.get_images()), 1)


def test_a_reading_that_is_given_up_leaves_no_image():
    layer = add_layer(new_image(), RED)
    steps = reading(layer)
    next(steps)
    steps.close()
    check(len(Gimp.get_images()), 1)


def test_a_filter_is_seen():
    image = new_image()
    layer = add_layer(image, RED)
    layer.append_filter(Gimp.DrawableFilter.new(layer, "gegl:invert-gamma", "invert"))
    check(colours(read_layer(layer)), {(0, 255, 255, 255)})


def test_a_layer_without_alpha_is_read_without():
    image = new_image()
    layer = add_layer(image, RED, area=(-10, 20, 30, 30))
    layer.flatten()
    picture = read_layer(layer)
    check((picture.width, picture.height, picture.channels), (20, 10, 3))
    check(set(picture.pixels[::3]) | set(picture.pixels[1::3]) | set(picture.pixels[2::3]), {255, 0})


def test_each_pixel_of_a_part_is_read_in_its_place():
    """Without a mask, with one, and put together by GIMP where there is a filter."""
    image = new_image()
    layer = add_layer(image, CLEAR, area=(-10, 20, 30, 30))
    written = bytes(value for pixel in range(900) for value in (pixel % 30, pixel // 30, 7, 255))
    at_once(filling(layer, Picture(30, 30, 4, written)))
    expected = b"".join(written[4 * (30 * row + 10) : 4 * (30 * row + 30)] for row in range(10))
    check(read_layer(layer).pixels, expected)
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    check(read_layer(layer).pixels, expected)
    layer.append_filter(Gimp.DrawableFilter.new(layer, "gegl:exposure", "nothing"))
    check(read_layer(layer).pixels, expected)


def test_a_picture_without_alpha_fills_a_layer():
    layer = add_layer(new_image(2, 1), CLEAR)
    at_once(filling(layer, Picture(2, 1, 3, bytes((1, 2, 3, 4, 5, 6)))))
    check(pixels(layer), bytes((1, 2, 3, 255, 4, 5, 6, 255)))


def test_a_picture_of_another_size_is_scaled_as_gimp_scales_layers():
    image = new_image(100, 70)
    written = bytes(random.Random(1).choices(range(256), k=4 * 60 * 40))
    for size in ((100, 70), (23, 31)):
        scaled_by_gimp = Gimp.Layer.new(image, "a", 60, 40, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL)
        image.insert_layer(scaled_by_gimp, None, 0)
        at_once(filling(scaled_by_gimp, Picture(60, 40, 4, written)))
        scaled_by_gimp.scale(*size, False)
        layer = Gimp.Layer.new(image, "b", *size, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL)
        at_once(filling(layer, Picture(60, 40, 4, written)))
        apart = [abs(a - b) for a, b in zip(pixels(layer), pixels(scaled_by_gimp), strict=True)]
        assert max(apart) <= 3, max(apart)  # mostly 0: GIMP works in chunks by how fast the machine is, and rounds so


def test_a_hidden_layer_is_seen_for_itself_and_stays_hidden():
    image = new_image()
    layer = add_layer(image, GREEN)
    layer.set_visible(False)
    check(colours(read_layer(layer)), {GREEN})
    assert not layer.get_visible()


def test_only_what_lies_on_the_canvas_is_seen():
    image = new_image()
    layer = add_layer(image, RED, area=(-10, 20, 30, 30))
    picture = read_layer(layer)
    check((picture.width, picture.height), (20, 10))
    check(colours(picture), {RED})


def test_a_layer_off_the_canvas_is_refused_by_name():
    image = new_image()
    layer = add_layer(image, RED, "far", area=(100, 0, 10, 10))
    check(complaint(lambda: read_layer(layer)), "the layer 'far' lies outside the image: move it into sight")


def test_a_group_is_seen_as_a_whole_and_its_layer_alone():
    image = new_image()
    add_layer(image, BLUE, "below")
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    left = add_layer(image, RED, "left", (0, 0, 20, 30), group)
    add_layer(image, GREEN, "right", (20, 0, 20, 30), group)
    check(colours(read_layer(group)), {RED, GREEN})
    picture = read_layer(left)
    check((picture.width, colours(picture)), (20, {RED}))


def test_a_layer_of_any_mode_is_seen_as_it_is():
    image = new_image()
    add_layer(image, BLUE, "below")
    layer = add_layer(image, RED)
    layer.set_mode(Gimp.LayerMode.MULTIPLY)
    check(colours(read_layer(layer)), {RED})


def test_a_selection_does_not_matter():
    image = new_image()
    layer = add_layer(image, RED)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 5, 5)
    check(colours(read_layer(layer)), {RED})


def test_a_large_layer_is_shrunk():
    image = new_image(4096, 16)
    layer = add_layer(image, RED)
    picture = read_layer(layer)
    check((picture.width, picture.height), (2048, 8))
    check(colours(picture), {RED})


def test_reading_changes_nothing():
    image = new_image()
    layer = add_layer(image, RED)
    fill(add_layer(image, GREEN, "above", (5, 5, 9, 9)), BLUE)
    before, images = seen(image), len(Gimp.get_images())
    read_layer(layer)
    check(seen(image), before)
    check(len(Gimp.get_images()), images)
