"""What a release writes and reads: a list of questions as JSON in, a list of answers out.

The tests run it with the packages of one release or of the other:

* ``["write", contract, seed, columns]``: rows at random, encoded. ``columns``: of ``"now"``, or of
  the ``"first"`` contract, as a meter makes that knows no others; then of its tables, too;
* ``["read", wire]``: what the plain reader and the collector's say of a batch of any contract that
  the release has.
"""

import json
import random
import sys

from dijkwacht_collector.unpacking import decode as decode_fast
from dijkwacht_collector.unpacking import unpack
from dijkwacht_detectors.api import Text
from dijkwacht_records import wire
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import UnknownContract
from dijkwacht_records.tables import TABLES

TIME = 1_700_000_000_000_000
ROWS = 200


def write(contract, seed, columns):
    draw = random.Random(seed)
    counts = CONTRACTS[1 if columns == "first" else max(CONTRACTS)].columns
    rows = []
    for n in range(ROWS):
        number = draw.randrange(len(counts))
        columns = TABLES[number].columns[1 : counts[number]]
        values = {column.name: a_value(draw, column.kind) for column in columns}
        if "flows" in values:
            values["flows"] = 0  # of a flood, or these would be found as well
        rows.append((number, (TIME + n, *values.values())))
    body = wire.encode("bakery", "till", bytes(16), seed, TIME, rows, contract)
    return {"wire": body.hex(), "rows": [described(*row) for row in rows]}


def read(body):
    body = bytes.fromhex(body)
    try:
        batch = wire.decode(body, CONTRACTS)
    except UnknownContract as error:
        return {"version": error.version, "reads": list(error.reads)}
    planes = decode_fast(body, CONTRACTS).planes
    addresses = (planes.addresses[at : at + 16] for at in range(0, len(planes.addresses), 16))
    wanted = {n: frozenset(c.name for c in table.columns) for n, table in enumerate(TABLES)}
    return {
        "plain": [described(*row) for row in wire.unpack_rows(batch)],
        "fast": [described(*row) for row in rows_of(unpack([planes], wanted))],
        "rows": planes.rows,
        "unknown": planes.unknown,
        "addresses": [address.hex() for address in addresses],
    }


def rows_of(unpacked):
    columns = {
        number: zip(*(plain(own[c.name]) for c in TABLES[number].columns), strict=True)
        for number, own in unpacked.columns.items()
    }
    return [(number, next(columns[number])) for number in unpacked.order.tolist()]


def plain(column):
    if isinstance(column, Text):
        return [column[at] for at in range(len(column.offsets) - 1)]
    if column.ndim == 2:
        return [pair.astype(">u8").tobytes() for pair in column]
    return column.tolist()


def a_value(draw, kind):
    if kind == "addr":
        return bytes(12) + draw.randbytes(4)
    if kind == "text":
        return "é-naam." * draw.randrange(4)
    return draw.random() if kind == "float" else draw.randrange(1 << draw.choice((1, 8, 32, 61)))


def described(number, row):
    """A table's name, and its columns by name; of those that the row lacks nothing."""
    values = [value.hex() if isinstance(value, bytes) else value for value in row]
    names = [column.name for column in TABLES[number].columns]
    return TABLES[number].name, dict(zip(names, values, strict=False))


if __name__ == "__main__":
    verbs = {"write": write, "read": read}
    json.dump([verbs[verb](*rest) for verb, *rest in json.load(sys.stdin)], sys.stdout)
