"""How a command ends that cannot do what was asked: one line on standard error, and an exit status."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

DONE, FAILED, UNUSABLE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
"""Exit statuses: done; the job failed; the options or the input are unusable; ended by Ctrl-C, by SIGTERM."""

EXPLAINED = """exit status:
  0    done
  1    the job failed: the loss was not finite, a kernel is wrong, a file could not be written
  2    the options or the input cannot be used
  130  interrupted by Ctrl-C; 143 by SIGTERM"""


class CommandError(Exception):
    """Ends a command. The message is the line that the user sees, without its beginning `fastnn: error: `."""

    status = FAILED


class UsageError(CommandError):
    """The options or the input cannot be used; the message names the option, or the file with its column and row."""

    status = UNUSABLE


@contextmanager
def refused_as(option: str) -> Iterator[None]:
    """What is refused within is the value of that option."""
    try:
        yield
    except (ValueError, TypeError) as error:
        argument = option.removeprefix("--").replace("-", "_")
        message = _one_line(error).removeprefix(f"{argument}: ").removeprefix(f"{option}: ")
        raise UsageError(f"{option}: {message}") from None


@contextmanager
def arguments_as_options(others: Mapping[str, str] | None = None) -> Iterator[None]:
    """Names at the beginning of refusals, which are arguments of Python functions, become options: `batch_size: ...`
    becomes `--batch-size: ...`. others : options of other names, by the names of the arguments."""
    try:
        yield
    except (ValueError, TypeError) as error:
        found = re.fullmatch(r"(\w+)(?:\[\d+\])?: (.*)", _one_line(error))
        if found is None:
            raise
        name, message = found.groups()
        raise UsageError(f"{(others or {}).get(name, '--' + name.replace('_', '-'))}: {message}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
