"""The command `fastnn`: its commands, and how each ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import fastnn
from fastnn.cli import evaluate, info, predict, train, verify, warmup
from fastnn.cli.errors import EXPLAINED, FAILED, INTERRUPTED, TERMINATED, UNUSABLE, CommandError
from fastnn.cli.output import OutputLostError, tolerant_output
from fastnn.cli.parsing import Parser
from fastnn.cli.signals import Terminated

COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "info": info,
    "verify": verify,
    "warmup": warmup,
}

_EPILOG = f"""examples:
  fastnn train mnist --layers 784-128-10 --dropout 0.2 --save model.npz --plot curves.png
  fastnn evaluate model.npz mnist
  fastnn train flowers.csv --target species --standardize --validation 0.2 --save flowers.npz
  fastnn predict flowers.npz new.csv --proba

fastnn COMMAND --help says more of each. Results go to standard output, all else to
standard error.

{EXPLAINED}"""


def parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="fastnn",
        description="Train multi-layer perceptrons on the CPU, fast: on real data sets and on your own tables.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"fastnn {fastnn.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, command in COMMANDS.items():
        added = commands.add_parser(
            name, help=command.HELP, description=f"{command.HELP[0].upper()}{command.HELP[1:]}.", epilog=command.EPILOG
        )
        command.add_options(added)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit status (`fastnn.cli.errors`), and prints one line to standard error where it
    is not 0; without a command, the help."""
    try:
        with tolerant_output(results=True):
            return _run(arguments)
    except OutputLostError as error:
        return _fail(f"standard output cannot be written to ({error.strerror or error})", FAILED)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        known = parser()
        options = known.parse_args(arguments)
        if options.command is None:
            known.print_help(sys.stderr)
            return UNUSABLE
        return COMMANDS[options.command].run(options)
    except SystemExit as ended:  # --help and --version
        return int(ended.code or 0)
    except CommandError as error:
        return _fail(str(error), error.status)
    except Terminated:
        return _fail("terminated", TERMINATED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except MemoryError:
        return _fail("not enough memory", FAILED)


def _fail(message: str, status: int) -> int:
    print(f"fastnn: error: {message}", file=sys.stderr)
    return status
