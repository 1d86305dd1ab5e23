"""The line that installs what is missing is one that works here."""

import json
import sys

import pytest

from dijkwacht import cli, extras


class Installed:
    """A distribution whose origin is known, or not."""

    def __init__(self, origin):
        self.origin = origin

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.origin


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, "pip install 'dijkwacht[lab]'"),
        ("{broken", "pip install 'dijkwacht[lab]'"),
        (json.dumps({"url": "file:///wheels/x.whl", "archive_info": {}}), "pip install 'dijkwacht[lab]'"),
        (json.dumps({"url": "file:///a/b", "dir_info": {}}), "pip install 'dijkwacht[lab]'"),
        (
            json.dumps({"url": "file:///a%20b/dijkwacht", "dir_info": {"editable": True}}),
            "pip install -e '/a b/dijkwacht[lab]'",
        ),
    ],
)  # fmt: skip
def test_a_checkout_is_installed_as_one(origin, expected, monkeypatch):
    monkeypatch.setattr(extras, "distribution", lambda name: Installed(origin))
    assert extras.install_command("lab") == expected


def test_nothing_installed_is_the_usual_line(monkeypatch):
    def missing(name):
        raise extras.PackageNotFoundError(name)

    monkeypatch.setattr(extras, "distribution", missing)
    assert extras.install_command("lab") == "pip install 'dijkwacht[lab]'"


def test_flows_says_it(scan, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("dijkwacht.flows.install_command", lambda extra: f"install {extra}")
    to = tmp_path / "rows.parquet"
    assert cli.main(["flows", str(scan), "--to", str(to)]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"dijkwacht flows: --to {to}: .parquet needs pyarrow: install lab"
