"""The collector: takes batches in, keeps them, detects, tells."""
