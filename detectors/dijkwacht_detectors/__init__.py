"""The detectors: one file each, and the contract they keep."""

import os

_OURS = ("Chosen", "BesideSources", "OfUser")
# numba reads this once, when it is imported; a choice of the operator's own stands.
os.environ.setdefault(
    "NUMBA_CACHE_LOCATOR_CLASSES",
    ",".join(
        [*(f"{__name__}.state.kernel_cache.{name}" for name in _OURS),
         "IPythonCacheLocator", "ZipCacheLocator"]  # what lies in no file of its own
    ),
)  # fmt: skip
