"""The collector's own reader of batches: byte planes → numpy arrays, of many batches at once.

`unpack` reads, `check` and `decode` look at bytes that anybody may have sent, all as `dijkwacht_records.planes` says in plain Python.
"""

from dijkwacht_collector.unpacking.batches import Unpacked, check, decode, prepare, unpack

__all__ = ["Unpacked", "check", "decode", "prepare", "unpack"]
