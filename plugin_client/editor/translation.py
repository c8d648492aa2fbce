"""Translations of the texts that an artist reads: `_("...")` around every text that is shown.

GIMP puts the language of its preferences into LANGUAGE, where gettext looks first, and asks a plug-in for its menu
entries anew when it changed. What the daemon says stays English: it knows no reader, and a log or a search holds it
as it is. `python3 install translate` brings the catalogues in locale/ up to the texts.
"""

from __future__ import annotations

import gettext
from pathlib import Path

_ = gettext.translation("kandinsky-blend", Path(__file__).with_name("locale"), fallback=True).gettext


def unmarked(label: str) -> str:
    """`label` without the underscore that marks its mnemonic."""
    return label.replace("_", "")
