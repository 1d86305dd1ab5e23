"""The wire contract: what a record is, how a batch is written, which errors can happen.

This package imports none of the others and nothing heavier than msgspec and zstandard.
"""
