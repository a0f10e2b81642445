"""The house: which module may import which, how much an import costs, and that every module says what it is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

ROOT = Path(fastnn.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# What each part of the package may import of the package.
MAY_IMPORT = {
    "cache_directory": set(),
    "kernel_cache": {"kernel_cache", "cache_directory"},
    "jit": {"kernel_cache"},
    "intrinsics": {"intrinsics"},
    "units": {"jit", "intrinsics"},
    "alloc": set(),
    "caches": set(),
    "blocking": {"caches", "intrinsics", "linalg", "step"},
    "items": {"ops"},
    "cpus": set(),
    "scalar_checks": set(),
    "schedules": {"scalar_checks"},
    "initializers": set(),
    "threads": {"alloc", "cpus", "intrinsics", "scalar_checks"},
    "linalg": {"linalg", "units", "jit", "intrinsics"},
    "kernels": {"kernels", "linalg", "jit", "intrinsics"},
    "reference": {"reference", "activations", "losses", "optimizers", "initializers", "regularization"},
    "ops": {"ops", "kernels", "linalg", "intrinsics", "jit", "reference", "scalar_checks", "threads"},
    "step": {"step", "kernels", "linalg", "units", "jit", "intrinsics"},
    "activations": {"activations", "initializers", "items", "ops", "reference", "kernels", "jit", "intrinsics"},
    "losses": {
        "losses", "items", "ops", "reference", "step", "kernels", "linalg", "jit", "intrinsics", "scalar_checks",
    },
    "optimizers": {"optimizers", "blocking", "ops", "reference", "step", "alloc", "jit", "intrinsics", "scalar_checks"},
    "regularization": {"scalar_checks"},
    "pacing": set(),
    "preparation": {
        "activations", "losses", "optimizers", "step", "linalg", "alloc", "blocking", "items", "pacing",
        "regularization", "sharing", "threads",
    },
    "sharing": {"linalg", "step", "threads"},
    "training": {
        "training", "datasets", "losses", "optimizers", "ops", "scalar_checks", "schedules", "step", "threads",
    },
    "callbacks": {"training"},
    "saving": {"saving", "activations", "losses", "optimizers", "ops", "schedules", "scalar_checks", "regularization"},
    "sklearn": {"sklearn", "activations", "losses", "mlp", "ops", "optimizers", "training"},
    "mlp": {
        "activations", "losses", "optimizers", "step", "ops", "kernels", "linalg", "jit", "intrinsics", "alloc",
        "initializers", "items", "preparation", "regularization", "saving", "scalar_checks", "threads", "training",
    },
    "extend": {"activations", "intrinsics", "jit", "kernels", "losses", "ops", "optimizers"},
    "numerical": {"ops", "scalar_checks"},
    "interop": {"interop", "losses", "mlp", "ops"},
    "gradient_check": {"mlp", "numerical", "ops", "optimizers", "scalar_checks"},
    "datasets": {"datasets", "cache_directory", "scalar_checks"},
    "warmup": {"activations", "cpus", "losses", "ops", "mlp", "optimizers", "threads", "units"},
    "cli": {
        "cli", "activations", "callbacks", "datasets", "intrinsics", "items", "kernel_cache", "losses", "mlp", "ops",
        "optimizers", "saving", "schedules", "threads", "training", "warmup",
    },
    "__main__": {"cli"},
}  # fmt: skip
MAY_NEED = {"numpy", "numba", "llvmlite", *sys.stdlib_module_names}
# What a part imports besides, but only where it is asked for what needs it.
ON_DEMAND = {
    "cli": {"matplotlib", "pandas"},
    "sklearn": {"sklearn", "scipy"},
    "training": {"matplotlib", "pandas", "rich", "sklearn"},
}


def imports(path: Path) -> set[str]:
    found = set()
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []  # never run
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    own = {name.split(".")[1] for name in imports(path) if name.startswith("fastnn.")}
    if part(path) != "__init__":
        assert own <= MAY_IMPORT[part(path)]
    assert {name.split(".")[0] for name in imports(path)} <= MAY_NEED | ON_DEMAND.get(part(path), set()) | {"fastnn"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_llvm_is_spoken_in_one_folder(path: Path) -> None:
    speaks = any(name.startswith("llvmlite.ir") or name == "llvmlite.ir" for name in imports(path))
    assert not speaks or path.parent.name == "intrinsics"


def test_import_compiles_and_fetches_nothing() -> None:
    program = (
        "import sys, fastnn; "
        "others = 'pandas matplotlib rich sklearn torch jax keras onnx urllib.request'.split(); "
        "print([m for m in others "
        "if m in sys.modules]); print(len(fastnn.softmax.kernel.signatures))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == ["[]", "0"]
    assert done.stderr == ""


def test_version_is_that_of_the_distribution() -> None:
    metadata = pytest.importorskip("importlib.metadata")
    try:
        installed = metadata.version("fastnn")
    except metadata.PackageNotFoundError:
        pytest.skip("run from a checkout that is not installed")
    assert installed == fastnn.__version__
