from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from dijkwacht_collector.sinks import IncidentStore


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """An asynchronous test fails when the product blocks its event loop."""
    if not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        yield
        return
    with blockbuster_ctx(scanned_modules=["dijkwacht_collector"]):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IncidentStore]:
    """A store of incidents, open, with nothing in it."""
    store = IncidentStore(tmp_path / "incidents.db")
    store.open()
    yield store
    store.close()
