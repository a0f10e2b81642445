"""No public function reads or writes beyond its arrays. One that does ends the run: the process crashes."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.ops import DECLARED
from tests import guard_pages

# Less than a vector; odd; rows of more than a vector; long ones.
SIZES = ((1, 1, 1), (3, 1, 2), (7, 5, 3), (5, 33, 9), (17, 48, 24), (3, 784, 10))

pytestmark = pytest.mark.skipif(not guard_pages.AVAILABLE, reason="pages cannot be closed here")


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("name", DECLARED)
def test_public_functions(name: str, at_end: bool, dtype: str) -> None:
    function = DECLARED[name]
    declaration = function.declaration
    for index, signature in enumerate(declaration.signatures):
        for row in SIZES:
            sizes = dict(zip(signature.dimensions, row, strict=False))
            sizes |= {number: declaration.example[number] for number in declaration.size_numbers}
            leading = (row[0], row[2]) if declaration.flattens_leading else ()
            drawn = declaration.draw(sizes, dtype, "ordinary", signature_index=index, leading=leading)
            arrays = [guard_pages.between_guards(array, at_end) for array in drawn]
            returned = function(*arrays, **declaration.example)
            if declaration.returned_arrays:
                results = returned if isinstance(returned, tuple) else (returned,)
                out = tuple(
                    guard_pages.between_guards(result, at_end) for result in results if isinstance(result, np.ndarray)
                )
                function(*arrays, out=out if len(out) > 1 else out[0], **declaration.example)
