"""The detectors: one file each, and the contract they keep."""

import os

# numba reads this once, when it is imported; a choice of the operator's own stands.
os.environ.setdefault(
    "NUMBA_CACHE_LOCATOR_CLASSES",
    ",".join(f"{__name__}.kernel_cache.{name}" for name in ("Chosen", "BesideSources", "OfUser")),
)
