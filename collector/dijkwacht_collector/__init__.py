"""The collector: takes batches in, journals them, detects, reports."""
