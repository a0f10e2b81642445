"""The folder of entries: its name, its place, and the removal of old ones."""

from __future__ import annotations

import ast
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from fastnn.kernel_cache import folder, kernel_directory


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("FASTNN_CACHE_DIR", "~/in-home")
    folder._absolute.cache_clear()
    assert kernel_directory().parent == tmp_path / "in-home" / "kernels"
    folder._absolute.cache_clear()


def test_relative_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTNN_CACHE_DIR", f"relative to {tmp_path.name}")
    monkeypatch.chdir(tmp_path)
    before = kernel_directory()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert kernel_directory() == before
    assert before.is_relative_to(tmp_path)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's sources, of which the folder's name is a hash."""
    shutil.copytree(folder.PACKAGE, tmp_path / "fastnn", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(folder, "PACKAGE", tmp_path / "fastnn")
    return tmp_path / "fastnn"


def test_name_changes_with_any_source_that_is_compiled(package: Path) -> None:
    state = folder.sources_state.__wrapped__
    names = [state()]
    (package / "linalg" / "gemm.py").write_text("# changed")
    names.append(state())
    (package / "linalg" / "gemm.py").rename(package / "linalg" / "renamed.py")
    names.append(state())
    (package / "a_new_folder").mkdir()
    (package / "a_new_folder" / "kernels.py").write_text("")
    names.append(state())
    assert len(set(names)) == 4
    (package / "mlp.py").write_text("# changed")
    (package / "ops" / "new.py").write_text("# changed")
    assert state() == names[-1]


def test_no_sources_no_folder(package: Path) -> None:
    """As in a frozen application: without them stale code would not be noticed."""
    shutil.rmtree(package)
    assert folder.sources_state.__wrapped__() is None


MAKE_KERNELS = {"kernel", "inner_kernel", "entry_kernel", "parallel_kernel", "scalar", "force_inline", "inline_ir"}


@pytest.mark.parametrize("name", folder.NEVER_COMPILED)
def test_what_is_not_hashed_makes_no_kernels(name: str) -> None:
    path = folder.PACKAGE / name
    for source in path.rglob("*.py") if path.is_dir() else [path]:
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, (ast.ImportFrom, ast.Import)):
                continue
            module = getattr(node, "module", None)
            names = {alias.name for alias in node.names}
            assert not {"numba.extending", "llvmlite.ir"} & {module, *names}, source
            assert module not in ("fastnn.jit", "fastnn.units") or not MAKE_KERNELS & names, source


def test_folders_unused_for_a_month_are_removed(directory: Path, load: Callable[[], ModuleType]) -> None:
    kernels = kernel_directory().parent
    days = {"0" * 16: 31, "1" * 16: 29, "2" * 16: 0, "not one of ours": 400}
    for name, age in days.items():
        (kernels / name).mkdir(parents=True)
        (kernels / name / "entry").write_text("")
        os.utime(kernels / name, (time.time() - age * 86400,) * 2)
    load().twice(3)
    left = {path.name for path in kernels.iterdir()}
    assert left == {"1" * 16, "2" * 16, "not one of ours", kernel_directory().name}


def test_use_keeps_a_folder(directory: Path, load: Callable[[], ModuleType]) -> None:
    load().twice(3)
    os.utime(kernel_directory(), (0, 0))
    folder.mark_used.cache_clear()
    load().twice(3)
    assert time.time() - kernel_directory().stat().st_mtime < 86400
