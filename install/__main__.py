"""`python3 install COMMAND`, from any folder: `python3 /somewhere/kandinsky-blend/install demo`."""

import sys
from pathlib import Path

sys.path[0] = str(
    Path(__file__).resolve().parent.parent
)  # Python puts install/ itself there; we import from its parent

from install.commands import main  # noqa: E402 - it is found through the line above

sys.exit(main(sys.argv[1:]))
