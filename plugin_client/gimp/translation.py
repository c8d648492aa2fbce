"""What the artist reads, in the language that GIMP speaks: `_("...")` around every text that is shown."""

from __future__ import annotations

import gettext
from pathlib import Path

_ = gettext.translation("kandinsky-blend", Path(__file__).with_name("locale"), fallback=True).gettext
