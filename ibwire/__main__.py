"""``python -m ibwire``: the same as the ``ibwire`` command."""

import sys

from ibwire.cli import main

if __name__ == "__main__":
    sys.exit(main())
