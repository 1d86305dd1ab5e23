"""Benchmarks are scripts beside the rooms: one is loaded by its name."""

import importlib

import pytest


@pytest.fixture
def load_benchmark(root, monkeypatch):
    """Function that takes a benchmark's name → its module, which finds those that stand beside it."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    return importlib.import_module
