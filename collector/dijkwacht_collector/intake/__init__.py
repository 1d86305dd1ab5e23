"""Batches come in, and the orders that wait for agents go out."""
