"""Compiled kernels are known again by all that is compiled into them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dijkwacht_collector.unpacking import kernels
from dijkwacht_detectors import kernel_cache, service_exploit

CALLER = """\
import dijkwacht_detectors
from numba import njit
from {module} import (
    inner,
)

@njit(cache=True)
def outer(x):
    return inner(x)

print(outer(1), sum(outer.stats.cache_hits.values()))
"""
CALLEE = """\
from numba import njit

@njit(cache=True)
def inner(x):
    return x + {number}
"""


@pytest.mark.parametrize("chosen", [False, True])
def test_a_kernel_is_compiled_anew_when_what_it_calls_has_changed(tmp_path, chosen):
    (tmp_path / "caller.py").write_text(CALLER.format(module="callee"))
    (tmp_path / "kept").mkdir()
    where = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")} if chosen else {}

    def run(number):
        (tmp_path / "callee.py").write_text(CALLEE.format(number=number))
        command = [sys.executable, tmp_path / "caller.py"]
        done = subprocess.run(
            command, env=os.environ | where, check=True, capture_output=True, text=True
        )
        return done.stdout.split()

    assert [run(number) for number in (1, 1, 2)] == [["2", "0"], ["2", "1"], ["3", "0"]]


def test_it_is_so_for_the_kernels_of_all_packages():
    for kernel in (service_exploit._fold, kernels.measure):
        locator = kernel._cache._impl.locator
        assert isinstance(
            locator, kernel_cache.BesideSources | kernel_cache.Chosen | kernel_cache.OfUser
        )
