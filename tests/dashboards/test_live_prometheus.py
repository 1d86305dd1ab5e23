"""A real Prometheus scrapes the real collector while a real agent replays a recording."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from types import SimpleNamespace

import pytest
import yaml

pytestmark = pytest.mark.tools("prometheus")

DEADLINE_S = 90
SCRAPE = "500ms"
RATE_INTERVAL = "5s"
RANGE = "10m"


def wait_for(look, what):
    """``look()`` until it gives something; tests wait for a condition, never for a while."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := look():
                return found
        time.sleep(0.1)
    return pytest.fail(f"not within {DEADLINE_S} s: {what}")


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(log, *command):
    """A program until the block ends; its output goes to ``log``."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def program(name, *arguments):
    return (sys.executable, "-c", f"import sys; from {name}.cli import main; sys.exit(main())", *map(str, arguments))  # fmt: skip


@pytest.fixture(scope="module")
def recording(root):
    """The traffic of the demo."""
    (found,) = (root / "lab/dijkwacht_lab/recordings/demo").glob("*.pcap")
    return found


@pytest.fixture(scope="module")
def watched(root, recording, tmp_path_factory):
    """Collector, agent and Prometheus at work: a way to ask Prometheus."""
    folder = tmp_path_factory.mktemp("watched")
    log = folder / "collector.log"
    collect = program(
        "dijkwacht", "collect", "--state", folder / "c", "--listen", "127.0.0.1:0", "--no-training"
    )
    with running(log, *collect):
        found = wait_for(lambda: re.search(r"listening on (\S+)", log.read_text()), "a collector")
        url = found[1]
        with running(folder / "prometheus.log", *prometheus(root, folder, url)):
            asked = f"http://127.0.0.1:{(folder / 'port').read_text()}/api/v1"
            # Counters that start at 0 must have been scraped at 0.
            wait_for(lambda: rows(asked, 'up{job="dijkwacht"} == 1'), "a first scrape")
            join(folder, url)
            wait_for(lambda: rows(asked, 'dijkwacht_rows_total{site="bakery"}'), "the site at 0")
            agent = program(
                "dijkwacht_agent", "--state", folder / "a",
                "run", "--recording", recording, "--speed", "60",
            )  # fmt: skip
            with running(folder / "agent.log", *agent):
                wait_for(lambda: rows(asked, "dijkwacht_incidents_open > 0"), "an incident")
                yield SimpleNamespace(rows=lambda expr: rows(asked, expr), api=asked, console=url)


def prometheus(root, folder, url):
    """Our own configuration, only in more of a hurry."""
    shutil.copytree(root / "dashboards/rules", folder / "rules")
    config = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [url.removeprefix("http://")]
    del config["alerting"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    (folder / "port").write_text(str(port))
    return (
        "prometheus", f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
    )  # fmt: skip


def join(folder, url):
    added = subprocess.run(
        program("dijkwacht", "site", "--state", folder / "c", "add", "bakery", "--url", url),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    code = re.search(r"join (\S+)", added.stdout + added.stderr)[1]
    subprocess.run(
        program("dijkwacht_agent", "--state", folder / "a", "join", "--name", "till", code),
        check=True, capture_output=True,
    )  # fmt: skip


def rows(api, expr):
    answer = json.loads(get(f"{api}/query?{urllib.parse.urlencode({'query': expr})}"))
    assert answer["status"] == "success"
    return answer["data"]["result"]


def test_every_query_of_the_dashboard_returns_rows(watched, dashboard, promql):
    values = {"$__rate_interval": RATE_INTERVAL, "$__range": RANGE}
    for panel, target in promql.targets(dashboard):
        expr = promql.substitute(target["expr"], **values)
        found = wait_for(lambda expr=expr: watched.rows(expr), f"{panel['title']}: {expr}")
        labels = re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))
        assert all(label in row["metric"] for label in labels for row in found), panel["title"]


def test_the_rule_for_an_open_high_incident_fires(watched):
    def firing():
        alerts = json.loads(get(f"{watched.api}/alerts"))["data"]["alerts"]
        return [
            alert
            for alert in alerts
            if alert["labels"]["alertname"] == "DijkwachtIncidentHigh"
            and alert["state"] == "firing"
        ]

    alert = wait_for(firing, "an alert")[0]
    assert alert["labels"]["site"] == "bakery"
    assert alert["labels"]["severity"] in {"high", "critical"}
    assert alert["annotations"]["summary"]


def test_the_console_shows_what_prometheus_counts(watched):
    def in_step():
        """Both move while the recording plays: ask until they meet."""
        page = get(f"{watched.console}/?lang=nl").decode()
        counted = watched.rows('sum(dijkwacht_stories_open{severity!="low"})')
        shown = page.count('class="card ')
        return page if shown and float(counted[0]["value"][1]) == shown else None

    page = wait_for(in_step, "as many cards as open stories that called")
    assert "vragen uw aandacht" in page or "vraagt uw aandacht" in page
    uid = re.search(r"/stories/(\w+)", page)[1]
    story = get(f"{watched.console}/stories/{uid}?lang=en").decode()
    assert "What it means, and what to do" in story


@pytest.mark.parametrize("severity", ["low", "high"])
def test_an_incident_is_visible_to_increase(watched, severity):
    """The counter was there at 0, so its first step is seen, and so is a rise."""
    counter = f'dijkwacht_incidents_total{{severity="{severity}"}}'
    wait_for(lambda: watched.rows(f"sum(increase({counter}[{RANGE}])) > 0.5"), "an increase")


def test_every_recording_rule_records(watched, rules):
    for recording in rules[1]:
        wait_for(lambda name=recording.record: watched.rows(name), recording.record)


def test_no_label_is_an_address_a_name_or_an_id(watched):
    known = {"site", "agent", "detector", "severity", "technique", "reason", "le"}
    series = watched.rows('{__name__=~"dijkwacht_.+"}')
    assert {name for row in series for name in row["metric"]} <= known | {
        "__name__",
        "instance",
        "job",
    }
    of_site = [row for row in series if row["metric"].get("site") == "bakery"]
    assert len(of_site) <= 500
