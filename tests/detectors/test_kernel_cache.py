"""Compiled kernels are known again by all that is compiled into them."""

from __future__ import annotations

import os
import subprocess
import sys
from zipfile import ZipFile

import pytest

from dijkwacht_collector.unpacking import kernels
from dijkwacht_detectors import service_exploit
from dijkwacht_detectors.state import kernel_cache

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
    # Python takes a source of the same second and size for the same.
    where["PYTHONDONTWRITEBYTECODE"] = "1"

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


def test_a_file_in_another_encoding_and_one_in_no_folder_are_compiled_too(tmp_path):
    (tmp_path / "caller.py").write_bytes(
        CALLER.format(module="callee").replace("import d", "# -*- coding: latin-1 -*-\n# \xe9\nimport d", 1)
        .encode("latin-1")
    )  # fmt: skip
    (tmp_path / "callee.py").write_text(CALLEE.format(number=1))
    command = [sys.executable, tmp_path / "caller.py"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "2 0\n"
    (tmp_path / "caller.py").write_text(CALLER.format(module="callee"))
    with ZipFile(tmp_path / "all.zip", "w") as packed:
        for name in ("caller.py", "callee.py"):
            packed.write(tmp_path / name, name)
    command = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import caller",
               tmp_path / "all.zip"]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "2 0\n"
