"""`dijkwacht bench`: one command over the measuring modules."""

import json
import sys
from types import ModuleType

import pytest

from dijkwacht import cli


@pytest.fixture
def measured(monkeypatch):
    def install(measure):
        module = ModuleType("dijkwacht_lab.bench.engine")
        module.measure = measure
        monkeypatch.setitem(sys.modules, "dijkwacht_lab.bench.engine", module)

    return install


def test_a_measurement_is_one_line_of_json(measured, capsys):
    measured(lambda: {"rows_per_second": 1.5})
    assert cli.main(["bench", "engine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows_per_second": 1.5}


def test_peers_are_measured_where_there_are_any(measured, capsys):
    measured(lambda peers=False: {"peers": peers})
    assert cli.main(["bench", "engine", "--json", "--peers"]) == 0
    assert json.loads(capsys.readouterr().out) == {"peers": True}
    measured(lambda: {"rows_per_second": 1})
    assert cli.main(["bench", "engine", "--peers"]) == 2
    assert "no peer of this path" in capsys.readouterr().err


def test_a_contract_is_chosen_where_batches_are_written(measured, capsys):
    measured(lambda contract=1: {"contract": contract})
    assert cli.main(["bench", "engine", "--json", "--contract", "2"]) == 0
    assert json.loads(capsys.readouterr().out) == {"contract": 2}
    measured(lambda: {"rows_per_second": 1})
    assert cli.main(["bench", "engine", "--contract", "2"]) == 2
    assert "no choice of a contract" in capsys.readouterr().err


def test_what_is_not_measured_yet_is_said(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "dijkwacht_lab.bench.latency", None)
    assert cli.main(["bench", "latency"]) == 2
    assert "bench latency: not measured in this version" in capsys.readouterr().err


def test_a_rate_is_chosen_where_there_is_one(measured, capsys):
    measured(lambda rate=1: {"rate": rate})
    assert cli.main(["bench", "engine", "--json", "--rate", "70"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rate": 70}
    measured(lambda: {"rows_per_second": 1})
    assert cli.main(["bench", "engine", "--rate", "70"]) == 2
    assert "no rate of its own" in capsys.readouterr().err
    for given in ("--rate", "--sites", "--batch-rows"):
        assert cli.main(["bench", "engine", given, "0"]) == 2
        assert f"{given}: at least 1" in capsys.readouterr().err


def test_what_was_not_reached_is_said_and_no_success(measured, capsys):
    measured(
        lambda: {"rows_per_second": 1, "failed": ["the load was not reached", "2 were missed"]}
    )
    assert cli.main(["bench", "engine", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["rows_per_second"] == 1
    assert said.err.endswith(
        "bench engine: the load was not reached\nbench engine: 2 were missed\n"
    )
    measured(lambda: {"rows_per_second": 1, "failed": []})
    assert cli.main(["bench", "engine", "--json"]) == 0
