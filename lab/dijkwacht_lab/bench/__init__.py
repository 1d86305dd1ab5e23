"""What is measured: one module a hot path, each with ``measure() -> dict``."""
