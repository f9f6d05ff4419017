"""Both storages, so that every test of the interface runs against each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from include.storage import Storage, open_storage


@pytest.fixture
def storage(new_storage: Callable[[str], str]) -> Storage:
    """An empty storage of each kind."""
    return open_storage(new_storage("kho hồ sơ"))
