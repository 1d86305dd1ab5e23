"""The detectors: one file each, and the contract they keep."""
