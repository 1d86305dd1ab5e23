"""A store of incidents, and where a file of lines goes."""

import pytest

from dijkwacht_collector.sinks import IncidentStore


@pytest.fixture
def lines(tmp_path):
    return tmp_path / "incidents.jsonl"


@pytest.fixture
def store(tmp_path):
    store = IncidentStore(tmp_path / "incidents.db")
    store.open()
    yield store
    store.close()
