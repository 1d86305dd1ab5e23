"""Logs to be read, and what became of them."""

import pytest

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.logs import read_logs
from dijkwacht_records.addresses import format_address
from dijkwacht_records.tables import TABLES


@pytest.fixture
def log(tmp_path):
    """Write a log: text or bytes → its path."""

    def write(text, name="a.log"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture(scope="session")
def named():
    """(table number, row) → table, and the row's values by column, addresses as text."""

    def by_name(numbered):
        number, row = numbered
        table = TABLES[number]
        values = dict(zip((c.name for c in table.columns), row, strict=True))
        return table.name, {
            name: format_address(v) if isinstance(v, bytes) else v for name, v in values.items()
        }

    return by_name


@pytest.fixture(scope="session")
def read_named(named):
    """Paths → rows by name, each with its table, and problems as text."""

    def read(*paths, inside=lambda _: False):
        problems = Problems()
        found = read_logs(paths, inside, problems)
        return [named(row) for row in found.rows], [str(problem) for problem in problems]

    return read


@pytest.fixture(scope="session")
def zeek():
    """Zeek's text: name of a log, columns, lines by column."""

    def text(path, fields, *lines):
        head = f"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n"
        rows = ("\t".join(str(line.get(name, "-")) for name in fields) + "\n" for line in lines)
        return head + "\t".join(["#fields", *fields]) + "\n" + "".join(rows)

    return text
