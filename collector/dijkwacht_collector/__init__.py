"""The collector: takes batches in, journals them, detects, reports."""

import dijkwacht_detectors  # noqa: F401  # it says by what compiled kernels are known again
