"""python -m benchmarks.isa NAME COMMAND ...: run any command held to a width."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.isa import LABELS, IsaError, run


def main(arguments: Sequence[str]) -> int:
    """The exit status where the command could not be started; else this process becomes the command."""
    if len(arguments) < 2:
        print(f"usage: python -m benchmarks.isa {'|'.join(LABELS)} COMMAND ...", file=sys.stderr)
        return 2
    try:
        run(arguments[0], arguments[1:])
    except (IsaError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
