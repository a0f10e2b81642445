"""Every public kernel is declared, looks like a function, and carries what it was made of."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import numba
import numpy as np
import pytest

import fastnn
import fastnn.kernels
import fastnn.linalg
import fastnn.reference
from fastnn.ops import DECLARED
from fastnn.optimizers import RULES

# Where the references of functions lie that are in no catalogue, and their kernels, in modules of the same names.
REFERENCE_FUNCTIONS = {
    name: info.name
    for info in pkgutil.iter_modules(fastnn.reference.__path__)
    if info.name not in ("dropout", "logistic", "mlp", "precision", "optimizers")
    for name, value in vars(importlib.import_module(f"fastnn.reference.{info.name}")).items()
    if inspect.isfunction(value) and not name.startswith("_") and name != "in_float64"
}
CATALOGUE = {
    *(name for item in fastnn.Activation.by_name for name in (item, f"{item}_backward")),
    *fastnn.Loss.by_name,
    *RULES,
    *(f"{name}{suffix}" for name in ("cross_entropy", "binary_cross_entropy") for suffix in ("", "_backward")),
}


def _module(package: ModuleType, name: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.{name}")


def test_every_reference_function_and_every_item_is_declared_and_public() -> None:
    assert set(DECLARED) == REFERENCE_FUNCTIONS.keys() | CATALOGUE
    assert not REFERENCE_FUNCTIONS.keys() & CATALOGUE
    assert set(DECLARED) <= set(fastnn.__all__)


def test_items_of_the_package_give_all_parts() -> None:
    """Also those that an item of a user's own may leave out: they are verified, documented and counted."""
    own = [item for item in (*fastnn.Activation.by_name.values(), *RULES.values()) if item.module.startswith("fastnn.")]
    assert len(own) > 20
    for item in own:
        assert item.has_reference, item.name
        assert item.formula, item.name
        assert item.ulps is not None, item.name
        assert item.name == "identity" or np.all(item.flops), item.name
    for name, function in DECLARED.items():
        if function.declaration.kernel.__module__.startswith("fastnn."):
            assert function.declaration.ulps is not None, name
            assert "own code" not in function.__doc__, name


@pytest.mark.parametrize("name", REFERENCE_FUNCTIONS)
def test_references_and_kernels_have_the_same_names(name: str) -> None:
    function, module = DECLARED[name], REFERENCE_FUNCTIONS[name]
    assert getattr(_module(fastnn.reference, module), name) is function.reference
    assert getattr(_module(fastnn.linalg if module == "affine" else fastnn.kernels, module), name) is function.kernel


@pytest.mark.parametrize("name", DECLARED)
def test_is_an_attribute_of_the_package(name: str) -> None:
    assert getattr(fastnn, name) is DECLARED[name]


@pytest.mark.parametrize("name", DECLARED)
def test_looks_like_a_function(name: str) -> None:
    function = DECLARED[name]
    assert function.__name__ == name
    assert inspect.getdoc(function).endswith(str(function.signature)) or function.declaration.flattens_leading
    assert function.signature in function.__doc__
    parameters = inspect.signature(function).parameters
    out = ["out"] if function.declaration.returned_arrays else []
    options = function.declaration.options
    expected = [*function.declaration.arrays, *function.declaration.numbers, *(options.defaults if options else ())]
    assert list(parameters) == [*expected, *out]
    assert "Raises" in function.__doc__


@pytest.mark.parametrize("name", DECLARED)
def test_costs_something(name: str) -> None:
    declaration = DECLARED[name].declaration
    sizes = {d: 4 for s in declaration.signatures for d in s.dimensions} | {"classes": 7}
    arrays = declaration.draw(sizes, leading=(2, 2) if declaration.flattens_leading else ())
    shapes = declaration.match_shapes(tuple(a.shape for a in arrays), {n: sizes[n] for n in declaration.size_numbers})
    flops, moved = declaration.cost(shapes)
    assert flops >= 0
    assert moved >= sum(a.size for a in arrays if a.dtype.kind == "f") * 4


def test_kernel_serves_nopython_code() -> None:
    softmax = fastnn.softmax.kernel

    @numba.njit
    def most_likely(z):
        p = np.empty_like(z)
        softmax(z, p)
        return p.max()

    assert most_likely(np.log(np.array([[1.0, 3.0]]))) == pytest.approx(0.75)
