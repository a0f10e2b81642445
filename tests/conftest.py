"""Fixtures shared by all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
import pytest

import fastnn

# A shell lets what it runs in the background ignore Ctrl-C, and nohup SIGHUP. Tests send both to programs that they
# start, which would ignore them too.
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _handler)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    """Both precisions."""
    return request.param


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20240607)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their place, not by what is in them: gzip writes the time."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def restore_threads() -> Iterator[None]:
    """The threads as they were, after the test."""
    before = fastnn.get_num_threads()
    yield
    fastnn.set_num_threads(before)
    fastnn.set_thread_invariant(False)
