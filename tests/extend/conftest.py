"""What a test declares is gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.extend.items import REGISTRIES


@pytest.fixture(autouse=True)
def _catalogues() -> Iterator[None]:
    """The catalogues as they were, for other tests."""
    before = [dict(registry) for registry in REGISTRIES]
    yield
    for registry, items in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(items)
