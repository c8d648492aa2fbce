"""A picture from a daemon that somebody else runs; see test_shared.py."""

from gi.repository import Gimp

from tests.gimp.inside.images import QUICK, call, check


def test_the_shared_daemon_makes_a_picture():
    status, message, layers = call("kandinsky-blend-text-to-image", None, prompt="a cat", **QUICK)
    check((status, message), (Gimp.PDBStatusType.SUCCESS, ""))
    check(len(layers), 1)
