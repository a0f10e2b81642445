"""What `help` says of all that items are made of."""

from __future__ import annotations

import inspect
import pydoc

import pytest

from fastnn import extend


@pytest.mark.parametrize("name", extend.__all__)
def test_every_public_name_has_a_docstring_and_its_parameters(name) -> None:
    value = getattr(extend, name)
    assert inspect.getdoc(value)
    assert "typing_context" not in inspect.signature(value).parameters
    assert "typing_context" not in pydoc.render_doc(value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("absolute", "(a)"),
        ("like", "(x, number)"),
        ("maximum", "(a, b)"),
        ("sign", "(a)"),
        ("square_root", "(vector)"),
        ("square_root_times", "(vector, factor)"),
        ("where_greater", "(a, b, x, y)"),
    ],
)
def test_intrinsics_show_what_a_kernel_gives_them(name, parameters) -> None:
    value = getattr(extend, name)
    assert str(inspect.signature(value)) == parameters
    assert f"{name}{parameters}\n" in pydoc.plain(pydoc.render_doc(value))


@pytest.mark.parametrize("name", ["activation", "elementwise_loss", "loss", "update_rule", "Optimizer"])
def test_what_declares_says_what_it_raises(name) -> None:
    assert "Raises" in inspect.getdoc(getattr(extend, name))


@pytest.mark.parametrize(
    "name",
    [
        "finite",
        "flag",
        "fraction",
        "fraction_or_one",
        "learning_rate",
        "not_negative",
        "positive",
        "step_number",
    ],
)
def test_checks_say_what_they_raise(name) -> None:
    check = getattr(extend, name)
    assert "Raises TypeError" in check.__doc__
    with pytest.raises(TypeError, match="^a: got 'b', expected"):
        check("a", "b")


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf"])
def test_functions_of_numbers_say_how_accurate_they_are(name) -> None:
    function = getattr(extend, name)
    assert "units in the last place off" in function.__doc__
    with pytest.raises(TypeError, match=f"^{name} is for nopython code"):
        function(1.0)
