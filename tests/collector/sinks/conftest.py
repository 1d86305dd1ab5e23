"""Where a file of lines goes."""

import pytest


@pytest.fixture
def lines(tmp_path):
    return tmp_path / "incidents.jsonl"
