"""Nets in files: one file holds a net, the optimizer that trains it and its schedule, so that training goes on.

`files` is what a file looks like, and how it is read and checked; `replacing` how it is written so that it is whole at
any moment; `parts` how a net and an optimizer are put into one; `values` numbers and schedules as JSON.
"""

from fastnn.saving.files import FileError
from fastnn.saving.parts import Saved, load, read_metadata, save

__all__ = ["FileError", "Saved", "load", "read_metadata", "save"]
