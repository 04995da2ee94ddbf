"""`python -m halext` is the command `halext`."""

from __future__ import annotations

import sys

from halext.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
