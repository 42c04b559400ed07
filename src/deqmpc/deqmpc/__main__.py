"""`python -m deqmpc`: the same as the command `deqmpc`."""

import sys

from deqmpc.cli import main

if __name__ == "__main__":
    sys.exit(main())
