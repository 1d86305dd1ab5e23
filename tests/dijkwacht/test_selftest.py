"""`dijkwacht-agent check --selftest` against a real collector: all of it is seen, none of it is kept."""

from dijkwacht.in_process import InProcessCollector, free_port
from dijkwacht_agent.cli import main
from dijkwacht_agent.join import join
from dijkwacht_records.selftest import ALL


def test_end_to_end(tmp_path, capsys):
    collector = InProcessCollector(tmp_path / "collector", free_port(0))
    collector.start()
    try:
        join(collector.join_code("bakery"), tmp_path / "agent", "till")
        before = collector.get("/healthz")["journal_position"]
        assert (
            main(["--state", str(tmp_path / "agent"), "check", "--selftest", "--lang", "en"]) == 0
        )
        assert collector.get("/healthz")["journal_position"] == before
    finally:
        collector.stop()
    out = capsys.readouterr().out
    assert out.count(f"{len(ALL)} of {len(ALL)}") == 2
    assert "All is well." in out
