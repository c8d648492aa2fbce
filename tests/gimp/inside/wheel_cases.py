"""A GIMP whose Python has no pyzmq but what lies beside the plug-in, and which can start no bridge."""

from tests.gimp.inside.images import blend, check, new_image


def test_a_blend_comes_from_the_daemon():
    layers = blend(new_image(), [{"text": "a cat", "weight": 1}])
    check(len(layers), 1)
