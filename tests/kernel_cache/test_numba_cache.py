"""A bad cache costs time and one warning: never an error, never a wrong number."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fastnn.kernel_cache import numba_cache

from .conftest import files, hits_and_misses

Load = Callable[[], ModuleType]


def test_second_process_loads_what_the_first_compiled(load: Load) -> None:
    first, second = load(), load()
    assert first.calling(2) == second.calling(2) == 6
    assert hits_and_misses(first.calling) == hits_and_misses(first.twice) == (0, 1)
    assert hits_and_misses(second.calling) == (1, 0)


def test_processes_that_save_at_once_keep_their_types_apart(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of renames that gave Numba's index one type and the data file the other."""
    first, second, replace, calls = load(), load(), os.replace, []

    def interleaved(source: Path, target: Path) -> None:
        calls.append((source, target))
        if len(calls) == 1:
            second.twice(1.5)
            return
        if len(calls) == 2:
            replace(*calls[0])
        replace(source, target)

    monkeypatch.setattr(os, "replace", interleaved)
    first.twice(3)
    monkeypatch.setattr(os, "replace", replace)
    assert len(calls) >= 2
    third = load()
    assert third.twice(1.5) == 3.0
    assert third.twice(3) == 6
    assert hits_and_misses(third.twice) == (2, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"\0" * len(content),
    ],
    ids=["empty", "half", "less a byte", "start alone", "a bit flipped", "zeros"],
)
def test_damaged_files_are_replaced(load: Load, directory: Path, damage: Callable[[bytes], bytes]) -> None:
    assert load().twice(3) == 6
    assert files(directory)
    for path in files(directory):
        path.write_bytes(damage(path.read_bytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load().twice(3) == 6
    last = load()
    assert last.twice(3) == 6
    assert hits_and_misses(last.twice) == (1, 0)


def test_whole_file_that_does_not_load_is_replaced(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(numba_cache, "dumps", lambda reduced: b"not a pickle")
        load().twice(3)
    assert load().twice(3) == 6
    last = load()
    assert last.twice(3) == 6
    assert hits_and_misses(last.twice) == (1, 0)


def test_entry_of_another_name_does_not_count(load: Load, directory: Path) -> None:
    """A file that was copied or renamed by hand."""
    first = load()
    first.twice(1.5)
    (of_floats,) = files(directory)
    first.twice(3)
    (of_integers,) = set(files(directory)) - {of_floats}
    shutil.copy(of_floats, of_integers)
    assert load().twice(3) == 6


def test_full_disk_costs_one_warning(load: Load, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(RuntimeWarning, match="No space left.*FASTNN_CACHE_DIR") as warned:
        assert load().calling(3) == 9
    assert len(warned) == 1
    # It points at the line that called.
    assert warned[0].filename == __file__
    assert files(directory) == []


def test_folder_that_becomes_unwritable_after_import_costs_one_warning(load: Load, directory: Path) -> None:
    module = load()
    shutil.rmtree(directory, ignore_errors=True)
    directory.write_text("no directory")
    with pytest.warns(RuntimeWarning, match="FASTNN_CACHE_DIR") as warned:
        assert module.calling(3) == 9
    assert len(warned) == 1


def test_warnings_as_errors_leave_the_call_its_result(
    load: Load, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory.write_text("no directory")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load().calling(3) == 9
    assert capsys.readouterr().err.count("FASTNN_CACHE_DIR") == 1


def test_no_home_directory_costs_one_warning(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTNN_CACHE_DIR")
    monkeypatch.setattr(numba_cache.folder, "cache_directory", lambda: None)
    with pytest.warns(RuntimeWarning, match="FASTNN_CACHE_DIR") as warned:
        assert load().calling(3) == 9
    assert len(warned) == 1


def test_cache_that_may_only_be_read_is_used(load: Load, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind root, so the calls that write are refused themselves."""
    load().twice(3)

    def refused(*arguments: object, **more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("mkdir", "open", "replace", "rename", "unlink", "utime"):
        monkeypatch.setattr(os, name, refused)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = load()
        assert module.twice(3) == 6
    assert hits_and_misses(module.twice) == (1, 0)
    with pytest.warns(RuntimeWarning, match="FASTNN_CACHE_DIR") as warned:
        assert module.twice(1.5) == 3.0
    assert len(warned) == 1


def test_kernels_without_optimisation(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """At NUMBA_OPT=0 a kernel that calls another holds an address of this process, and cannot be kept."""
    monkeypatch.setenv("NUMBA_OPT", "0")
    with pytest.warns(RuntimeWarning, match="not kept on disk") as warned:
        assert load().calling(3) == 9
    assert len(warned) == 1


def test_bounds_are_checked_though_unchecked_code_is_cached(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().third(np.arange(3.0)) == 2.0
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    with pytest.raises(IndexError):
        load().third(np.arange(2.0))


@pytest.mark.parametrize("name", ["DEBUGINFO", "OPT", "SLP_VECTORIZE", "BOUNDSCHECK", "DISABLE_INTEL_SVML"])
def test_settings_that_change_code_share_nothing(load: Load, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    load().twice(3)
    monkeypatch.setenv(f"NUMBA_{name}", "1")
    module = load()
    assert module.twice(3) == 6
    assert hits_and_misses(module.twice) == (0, 1)


@pytest.mark.parametrize("name", ["SHOW_HELP", "FULL_TRACEBACKS", "DISABLE_PERFORMANCE_WARNINGS"])
def test_settings_that_change_no_code_share_it(load: Load, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    load().twice(3)
    monkeypatch.setenv(f"NUMBA_{name}", "1")
    module = load()
    assert module.twice(3) == 6
    assert hits_and_misses(module.twice) == (1, 0)


def test_recompile_compiles(load: Load) -> None:
    module = load()
    module.twice(3)
    module.twice.recompile()
    assert hits_and_misses(module.twice) == (0, 2)
    assert module.twice(3) == 6


def test_disabled_cache_neither_loads_nor_saves(load: Load, directory: Path) -> None:
    for _ in range(2):
        module = load()
        module.twice._cache.disable()
        assert module.twice(3) == 6
        assert hits_and_misses(module.twice) == (0, 1)
    assert files(directory) == []
