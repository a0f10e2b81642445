"""The public functions: layouts and shapes that must work, and arguments that must be refused, each by its name."""

from __future__ import annotations

import inspect
import tracemalloc

import numpy as np
import pytest

import fastnn
from fastnn.ops import DECLARED

F32 = np.float32


def arrays_of(name: str, dtype: str = "float32", **more: object) -> list[np.ndarray]:
    declaration = DECLARED[name].declaration
    sizes = {"n": 4, "i": 5, "o": 3, "c": 6, "classes": 7} | more.pop("sizes", {})
    return declaration.draw(sizes, dtype, leading=(2, 4) if declaration.flattens_leading else (), **more)


def results(name: str, arrays: list[np.ndarray], function=None) -> list[np.ndarray]:
    declaration = DECLARED[name].declaration
    returned = (function or DECLARED[name])(*arrays, **declaration.example)
    if declaration.in_place:
        return [a for key, a in zip(declaration.arrays, arrays, strict=True) if key in declaration.in_place]
    return [np.asarray(r) for r in (returned if isinstance(returned, tuple) else (returned,))]


def strided(array: np.ndarray) -> np.ndarray:
    wide = np.zeros(tuple(2 * s for s in array.shape), array.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array: np.ndarray) -> np.ndarray:
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    raw[...] = array
    return raw


LAYOUTS = {"strided": strided, "fortran": np.asfortranarray, "read-only": read_only, "misaligned": misaligned}
RETURNING = sorted(name for name, f in DECLARED.items() if not f.declaration.in_place)
WRITING = sorted(set(DECLARED) - set(RETURNING))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", RETURNING)
def test_layout_makes_no_difference(name: str, layout: str) -> None:
    arrays = arrays_of(name)
    others = [LAYOUTS[layout](a) for a in arrays]
    before = len(DECLARED[name].kernel.signatures)
    for expected, found in zip(results(name, arrays), results(name, others), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(DECLARED[name].kernel.signatures) <= before + 1, "a layout cost another compilation"


def peak_memory(call) -> int:
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", DECLARED)
def test_what_is_only_read_is_not_copied(name: str) -> None:
    """Read-only arrays, as memory maps and pandas give them."""
    declaration = DECLARED[name].declaration
    sizes = {"n": 150, "i": 150, "o": 150, "c": 150, "classes": 7}
    arrays = declaration.draw(sizes, leading=(150, 10) if declaration.flattens_leading else ())
    kept = zip(declaration.arrays, arrays, strict=True)
    others = [a if key in declaration.in_place else read_only(a) for key, a in kept]
    results(name, arrays)
    results(name, others)
    most = peak_memory(lambda: results(name, arrays)) + 500  # the least of them has 150 elements, in 600 bytes
    assert peak_memory(lambda: results(name, others)) < most


def test_memory_maps_are_taken_where_they_lie(tmp_path) -> None:
    x = np.linspace(-1, 1, 10**5, dtype=F32)
    x.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", F32, "r+")
    fastnn.sgd_update(mapped, np.ones_like(x), lr=0.5)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "x", F32), x - F32(0.5))
    out = np.empty_like(x)
    assert peak_memory(lambda: fastnn.relu(np.memmap(tmp_path / "x", F32, "r"), out=out)) < 10**5
    np.testing.assert_array_equal(out, np.maximum(x - F32(0.5), 0))


@pytest.mark.parametrize("name", RETURNING)
def test_arguments_are_left_alone(name: str) -> None:
    arrays = arrays_of(name)
    kept = [a.copy() for a in arrays]
    found = results(name, arrays)
    for array, copy in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, copy)
        assert not any(np.shares_memory(array, f) for f in found)


@pytest.mark.parametrize("name", DECLARED)
def test_arguments_by_keyword(name: str) -> None:
    keys = list(DECLARED[name].declaration.arrays)

    def by_keyword(*arrays, **numbers):
        return DECLARED[name](**dict(zip(keys, arrays, strict=True)), **numbers)

    for expected, found in zip(results(name, arrays_of(name)), results(name, arrays_of(name), by_keyword), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", sorted(n for n, f in DECLARED.items() if f.declaration.flattens_leading))
@pytest.mark.parametrize("leading", [(), (1,), (3,), (2, 3), (2, 1, 2), (0,), (2, 0)])
def test_any_leading_dimensions(name: str, leading: tuple[int, ...]) -> None:
    declaration = DECLARED[name].declaration
    if declaration.in_place and leading == ():
        pytest.skip("a number cannot be updated in place")
    arrays = declaration.draw({"c": 5}, leading=leading)
    for expected, found in zip(
        results(name, [a.copy() for a in arrays], declaration.reference), results(name, arrays), strict=True
    ):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_no_rows() -> None:
    x, w, b = np.zeros((0, 5), F32), np.ones((5, 3), F32), np.ones(3, F32)
    assert fastnn.affine_forward(x, w, b).shape == (0, 3)
    dx, dw, db = fastnn.affine_backward(np.zeros((0, 3), F32), x, w)
    assert dx.shape == (0, 5)
    np.testing.assert_array_equal(dw, np.zeros((5, 3)))
    np.testing.assert_array_equal(db, np.zeros(3))
    assert fastnn.softmax(np.zeros((0, 4), F32)).shape == (0, 4)
    assert fastnn.one_hot(np.zeros(0, np.int64), classes=3).shape == (0, 3)


@pytest.mark.parametrize("name", DECLARED)
def test_other_dtypes_are_refused(name: str) -> None:
    names = list(DECLARED[name].declaration.arrays)
    for k, argument in enumerate(names):
        for wrong in ("float16", ">f4", "bool", "complex64", "object", "U3", "datetime64[s]"):
            arrays = arrays_of(name)
            arrays[k] = np.zeros(arrays[k].shape, wrong)
            with pytest.raises(TypeError, match=rf"^{argument}: got dtype .*expected .*"):
                DECLARED[name](*arrays, **DECLARED[name].declaration.example)


@pytest.mark.parametrize("name", sorted(n for n, f in DECLARED.items() if len(f.declaration.arrays) > 1))
def test_mixed_precision_is_refused(name: str) -> None:
    arrays = arrays_of(name)
    floats = [k for k, a in enumerate(arrays) if a.dtype.kind == "f"]
    if len(floats) < 2:
        return
    last = floats[-1]
    arrays[last] = arrays[last].astype(np.float64)
    argument = list(DECLARED[name].declaration.arrays)[last]
    with pytest.raises(TypeError, match=rf"^{argument}: got dtype float64, expected float32"):
        DECLARED[name](*arrays, **DECLARED[name].declaration.example)


@pytest.mark.parametrize("name", sorted(n for n, f in DECLARED.items() if len(f.declaration.arrays) > 1))
def test_shapes_that_do_not_fit_are_refused(name: str) -> None:
    cores = DECLARED[name].declaration.signatures[0].inputs
    for k, core in enumerate(cores):
        if core and sum(core[-1] in other for other in cores) == 1:
            continue  # no other argument has that dimension, so that any size fits
        arrays = arrays_of(name)
        arrays[k] = np.concatenate([arrays[k]] * 2, axis=-1)
        with pytest.raises(ValueError, match=r"^\w+: got shape .*expected"):
            DECLARED[name](*arrays, **DECLARED[name].declaration.example)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fastnn.affine_forward(np.ones((4, 5), F32), np.ones((6, 3), F32), np.ones(3, F32)),
            r"^w: got shape \(6, 3\), expected \(i, o\) with i = 5 as in x",
        ),
        (
            lambda: fastnn.affine_forward(np.ones(5, F32), np.ones((5, 3), F32), np.ones(3, F32)),
            r"^x: got shape \(5,\), expected \(n, i\)",
        ),
        (lambda: fastnn.softmax(np.ones((3, 0), F32)), r"^z: got shape \(3, 0\), expected c of at least 1"),
        (lambda: fastnn.softmax(F32(1)), r"^z: got shape \(\), expected \(\.\.\., c\)"),
        (
            lambda: fastnn.sigmoid_backward(np.ones(3, F32), np.ones((1, 3), F32)),
            r"^y: got shape \(1, 3\), expected \(3,\) as in dy$",
        ),
        (
            lambda: fastnn.softmax_backward(np.ones((4, 3), F32), np.ones(3, F32)),
            r"^p: got shape \(3,\), expected \(4, c\) as in dp$",
        ),
        (
            lambda: fastnn.mean_squared_error(np.ones((4, 1), F32), np.ones(4, F32)),
            r"^t: got shape \(4,\), expected \(n, o\) where y has shape \(4, 1\)$",
        ),
        (
            lambda: fastnn.softmax_cross_entropy(np.ones((2, 3), F32), np.ones((1, 2, 3), F32)),
            r"^t: got shape \(1, 2, 3\), expected \(n,\) or \(n, c\)$",
        ),
        (lambda: fastnn.one_hot(np.array([0]), classes=10**30), r"^classes: got 10*, expected less than 2\*\*63"),
        (lambda: fastnn.cross_entropy(np.ones((1, 2), F32), [0], eps=10**400), r"^eps: got 10*, expected .*\[0, inf\)"),
        (lambda: fastnn.softmax_cross_entropy(np.ones((0, 3), F32), np.ones(0, int)), r"expected n of at least 1"),
        (
            lambda: fastnn.softmax_cross_entropy(np.ones((2, 3), F32), np.array([0, 3])),
            r"^t: got label 3 at position 1, expected labels from 0 to 2",
        ),
        (lambda: fastnn.softmax_cross_entropy(np.ones((2, 3), F32), np.array([0, -1])), r"^t: got label -1 at"),
        (lambda: fastnn.cross_entropy(np.ones((2, 3), F32), np.array([0, 200], np.uint8)), r"^t: got label 200 at"),
        (lambda: fastnn.accuracy(np.ones((2, 3), F32), np.array([7, 0])), r"^t: got label 7 at position 0"),
        (lambda: fastnn.one_hot(np.array([3]), classes=3), r"^t: got label 3 at position 0"),
        (lambda: fastnn.one_hot(np.array([0]), classes=0), r"^classes: got 0, expected at least 1"),
        (lambda: fastnn.cross_entropy(np.ones((1, 2), F32), np.array([0]), eps=-1.0), r"^eps: got -1.0, expected"),
        (lambda: fastnn.sgd_update(np.ones(2, F32), np.ones(2, F32), lr=-1.0), r"^lr: got -1.0, expected .*\[0, inf\)"),
        (lambda: fastnn.sgd_update(np.ones(2, F32), np.ones(2, F32), lr=np.nan), r"^lr: got nan"),
    ],
)
def test_value_errors_name_the_argument(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fastnn.softmax_cross_entropy(np.ones((2, 3), F32), np.array([0.0, np.nan])),
            r"^t: got dtype float64 without a label at position 1, expected integer labels; leave out",
        ),
        (lambda: fastnn.relu([1, 2, 3]), r"^x: got dtype int64, expected float32 or float64"),
        (lambda: fastnn.relu(None), r"^x: got None, expected"),
        (lambda: fastnn.sgd_update(np.ones(2, F32), np.ones(2, F32), lr="fast"), r"^lr: got 'fast', expected a number"),
        (
            lambda: fastnn.sgd_update(np.ones(2, F32), np.ones(2, F32)),
            r"^sgd_update: missing a required .*argument: 'lr'",
        ),
        (lambda: fastnn.relu(), r"missing a required argument: 'x'"),
        (
            lambda: fastnn.relu(np.ones(2, F32), np.ones(2, F32)),
            r"^relu: too many positional arguments; call it as relu\(x, \*, out=None\)$",
        ),
        (lambda: fastnn.relu(np.ones(2, F32), slope=1), r"unexpected keyword argument 'slope'"),
        (lambda: fastnn.one_hot(np.array([0]), classes=2.5), r"^classes: got 2.5, expected an integer"),
        (lambda: fastnn.one_hot(np.array([0]), classes=2, dtype="int8"), r"^dtype: got 'int8', expected"),
    ],
)
def test_type_errors_name_the_argument(call, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", WRITING)
def test_what_cannot_be_written_in_place_is_refused(name: str, layout: str) -> None:
    declaration = DECLARED[name].declaration
    for written in declaration.in_place:
        arrays = dict(zip(declaration.arrays, arrays_of(name), strict=True))
        kept = {key: a.copy() for key, a in arrays.items()}
        arrays[written] = LAYOUTS[layout](arrays[written])
        with pytest.raises(ValueError, match=rf"^{written}: got .*it is updated in place"):
            DECLARED[name](*arrays.values(), **declaration.example)
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, kept[key])


@pytest.mark.parametrize("name", WRITING)
def test_shared_memory_is_refused(name: str) -> None:
    w, *others = arrays_of(name)
    with pytest.raises(ValueError, match=r"^w: got an array that shares memory with .*copy"):
        DECLARED[name](w, w, *others[1:], **DECLARED[name].declaration.example)


@pytest.mark.parametrize("name", WRITING)
def test_views_of_one_array_are_taken_unless_they_overlap(name: str) -> None:
    arrays = [a.ravel() for a in arrays_of(name)]
    whole = np.concatenate(arrays)
    views = np.split(whole, len(arrays))
    for expected, found in zip(results(name, arrays), results(name, views), strict=True):
        np.testing.assert_array_equal(found, expected)
    size = len(arrays[0])
    views[-1] = whole[(len(arrays) - 1) * size - 1 : -1]
    with pytest.raises(ValueError, match=r"got an array that shares memory with"):
        DECLARED[name](*views, **DECLARED[name].declaration.example)


def test_results_are_new_arrays_of_the_right_kind(dtype: str) -> None:
    loss, dz = fastnn.softmax_cross_entropy(np.ones((2, 3), dtype), np.array([0, 1]))
    assert isinstance(loss, np.floating)
    assert loss.dtype == dz.dtype == dtype
    assert isinstance(fastnn.sigmoid(np.dtype(dtype).type(0)), np.floating)
    assert fastnn.one_hot(np.array([1]), classes=2, dtype=dtype).dtype == dtype


def test_lists_and_other_integers_are_taken() -> None:
    np.testing.assert_array_equal(fastnn.relu([-1.0, 2.0]), [0.0, 2.0])
    z = np.ones((2, 3), F32)
    for kind in ("int8", "uint8", "int32", "uint64", ">i8"):
        np.testing.assert_array_equal(
            fastnn.softmax_cross_entropy(z, np.array([0, 2], kind))[1], fastnn.softmax_cross_entropy(z, [0, 2])[1]
        )


def test_every_parameter_of_a_stub_is_used() -> None:
    for name, function in DECLARED.items():
        own, reference = (set(inspect.signature(f).parameters) for f in (function, function.reference))
        assert own - {"out"} == reference, name


def test_every_call_is_checked_not_the_first_of_its_form_only() -> None:
    z, t, w, g = np.ones((3, 4), F32), np.array([0, 3, 1]), np.ones(5, F32), np.ones(5, F32)
    for _ in range(2):
        fastnn.softmax_cross_entropy(z, t)
        with pytest.raises(ValueError, match=r"^t: got label 4 at position 1"):
            fastnn.softmax_cross_entropy(z, np.array([0, 4, -1]))
        fastnn.sgd_update(w, g, lr=0.1)
        with pytest.raises(ValueError, match=r"^w: got an array that shares memory with g"):
            fastnn.sgd_update(w, w, lr=0.1)
        with pytest.raises(ValueError, match=r"^lr: got nan"):
            fastnn.sgd_update(w, g, lr=np.nan)
        with pytest.raises(ValueError, match=r"^weight_decay: got -1"):
            fastnn.sgd_update(w, g, lr=0.1, weight_decay=-1)
        with pytest.raises(ValueError, match=r"^t: got label 3"):
            fastnn.one_hot(t, classes=3)
        assert [fastnn.one_hot(t, classes=k, dtype=d).dtype for k, d in ((4, "f4"), (4, "f8"))] == ["f4", "f8"]
        assert fastnn.one_hot(t, classes=5).shape == (3, 5)


def test_a_bounded_number_of_specializations_is_kept() -> None:
    kept = fastnn.relu.__globals__["specializations"]
    x = np.linspace(-1, 1, 600, dtype=F32)
    for n in range(600):
        np.testing.assert_array_equal(fastnn.relu(x[:n]), np.maximum(x[:n], 0))
    assert 0 < len(kept) <= 256
    before = list(kept.values())
    fastnn.relu(x[:599])
    assert list(kept.values()) == before


GIVEN = sorted(name for name, f in DECLARED.items() if f.declaration.returned_arrays)


def outputs_of(name: str, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """New arrays as the results are, full of NaN."""
    count = DECLARED[name].declaration.returned_arrays
    return tuple(np.full_like(r, np.nan) for r in results(name, arrays)[-count:])


def call_into(name: str, arrays: list[np.ndarray], outputs: tuple[np.ndarray, ...]):
    out = outputs if len(outputs) > 1 else outputs[0]
    return DECLARED[name](*arrays, **DECLARED[name].declaration.example, out=out)


@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize("name", GIVEN)
def test_results_go_into_the_arrays_that_are_given(name: str, owned: bool, dtype: str) -> None:
    arrays = arrays_of(name, dtype)
    expected, outputs = results(name, arrays), outputs_of(name, arrays)
    if not owned:
        outputs = tuple(np.full((2, *o.shape), np.nan, o.dtype)[1] for o in outputs)
    found = call_into(name, arrays, outputs)
    found = found if isinstance(found, tuple) else (found,)
    assert all(f is o for f, o in zip(found[-len(outputs) :], outputs, strict=True))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", GIVEN)
def test_other_arrays_to_write_are_refused(name: str) -> None:
    arrays = arrays_of(name)
    outputs = outputs_of(name, arrays)
    at = r"^out\[0\]: " if len(outputs) > 1 else "^out: "
    other_dtype = "float64" if outputs[0].dtype == F32 else "float32"
    for first, error, message in (
        (outputs[0].astype(other_dtype), TypeError, f"got dtype {other_dtype}, expected a numpy.ndarray of"),
        (outputs[0].tolist(), TypeError, "got 'list', expected a numpy.ndarray of"),
        (np.concatenate([outputs[0]] * 2), ValueError, r"got shape \(.*\), expected \("),
        (strided(outputs[0]), ValueError, "got an array that is not C-contiguous"),
        (read_only(outputs[0]), ValueError, "got a read-only array"),
        (misaligned(outputs[0]), ValueError, "got an array that is not aligned"),
    ):
        with pytest.raises(error, match=at + message):
            call_into(name, arrays, (first, *outputs[1:]))
    assert all(np.isnan(o).all() for o in outputs), "written all the same"


@pytest.mark.parametrize("name", GIVEN)
def test_arrays_to_write_share_no_memory(name: str) -> None:
    arrays = arrays_of(name)
    outputs = outputs_of(name, arrays)
    for k, argument in enumerate(DECLARED[name].declaration.arrays):
        for place, output in enumerate(outputs):
            if output.nbytes > arrays[k].nbytes:
                continue
            shared = arrays[k].reshape(-1).view(output.dtype)[: output.size].reshape(output.shape)
            given = (*outputs[:place], shared, *outputs[place + 1 :])
            with pytest.raises(ValueError, match=rf"^out.*: got an array that shares memory with {argument}"):
                call_into(name, arrays, given)


def test_an_argument_itself_is_no_array_to_write() -> None:
    x = np.ones((3, 4), F32)
    with pytest.raises(ValueError, match="^out: got an array that shares memory with x"):
        fastnn.relu(x, out=x)


def test_several_arrays_to_write() -> None:
    dy, x, w = np.ones((4, 3), F32), np.ones((4, 5), F32), np.ones((5, 3), F32)
    for out, found in ((x, "'ndarray'"), ((x, w), "2 arrays"), ([x, w, x], "'list'")):
        with pytest.raises(ValueError, match=f"^out: got {found}, expected a tuple of 3 arrays"):
            fastnn.affine_backward(dy, x, w, out=out)
    square = np.ones((3, 3), F32)
    same = np.zeros((3, 3), F32)
    with pytest.raises(ValueError, match=r"^out\[1\]: got an array that shares memory with out\[0\]"):
        fastnn.affine_backward(square, square.copy(), square.copy(), out=(same, same, np.zeros(3, F32)))


def test_a_number_into_an_array_of_no_dimensions() -> None:
    out = np.zeros((), F32)
    assert fastnn.exp(F32(1), out=out) is out
    assert out == pytest.approx(np.e)


def test_large_products_go_into_given_arrays_on_several_threads() -> None:
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype(F32) for s in ((2000, 100), (100, 100), (100,)))
    out = np.full((2000, 100), np.nan, F32)
    assert fastnn.affine_forward(x, w, b, out=out) is out
    np.testing.assert_array_equal(out, fastnn.affine_forward(x, w, b))
    kernel = DECLARED["affine_forward"].declaration.parallel_kernel
    before = kernel.signatures
    np.testing.assert_array_equal(out, fastnn.affine_forward(read_only(x), read_only(w), b))
    assert kernel.signatures == before, "read-only arrays cost another compilation"
