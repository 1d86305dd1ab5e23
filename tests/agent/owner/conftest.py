import sys

import pytest


@pytest.fixture
def python():
    """How a child runs this Python."""
    return [sys.executable, "-W", "error"]
