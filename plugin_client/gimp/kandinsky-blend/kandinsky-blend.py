#!/usr/bin/env python3
"""The program that GIMP starts. The installer puts plugin_client beside it; GIMP wants it to be named as its folder."""

import sys

from gi import require_version

for library, version in (("Gimp", "3.0"), ("GimpUi", "3.0"), ("Gtk", "3.0"), ("Gegl", "0.4")):
    require_version(library, version)

from gi.repository import Gimp  # noqa: E402 - the version must be chosen first

from plugin_client.gimp.plugin import KandinskyBlend  # noqa: E402

Gimp.main(KandinskyBlend.__gtype__, sys.argv)
