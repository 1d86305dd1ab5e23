"""The usual detectors of strange flows: their features, their line, and the models as their libraries ship them."""

import sys
from types import ModuleType

import numpy as np
import pytest

from dijkwacht_lab.calibrate import Office
from dijkwacht_lab.labels import Labelled
from dijkwacht_lab.peers import benign, measure, models
from dijkwacht_lab.peers.flow_features import ACTIVE_US, FEATURES, SiteFlows, flows_of
from dijkwacht_lab.peers.line import alerts_of, line_of, weeks_of
from dijkwacht_lab.peers.peer import ANY, QUIET_US
from dijkwacht_lab.scoreboard import Outcome, judge
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import DEFAULTS, DNS, FLOWS, TABLES, FlowState

SECOND = 1_000_000
BEGIN = 1_700_000_000 * SECOND
A, B = pack_address("10.0.0.1"), pack_address("10.0.0.2")
NUMBER = TABLES.index(FLOWS)
OPEN, UPDATE, END = FlowState.OPEN, FlowState.UPDATE, FlowState.END


def part(flow_id, state, at_s, **given):
    told = {
        "time": BEGIN + int(at_s * SECOND), "start": BEGIN, "flow_id": flow_id, "state": state,
        "orig_h": A, "resp_h": B, "resp_p": 443, "proto": 6, **given,
    }  # fmt: skip
    return NUMBER, tuple(told.get(column.name, 0) for column in FLOWS.columns)


def features(flows, k=0):
    return dict(zip(FEATURES, flows.features[k], strict=True))


def test_parts_of_a_flow_are_one():
    flows = flows_of(
        [
            part(1, OPEN, 1, orig_pkts=2, orig_bytes=100, orig_flags=0x02),
            part(2, END, 2, orig_h=B, resp_p=53, proto=17, orig_pkts=1),
            part(1, UPDATE, 3, orig_pkts=1, orig_bytes=50, resp_pkts=4, resp_bytes=800),
            part(1, END, 4, resp_pkts=1, resp_flags=0x05),
        ]
    )
    assert flows.ended.tolist() == [BEGIN + 2 * SECOND, BEGIN + 4 * SECOND]
    assert [flows.addresses[k] for k in flows.source] == [B, A]
    told = features(flows, 1)
    assert np.expm1(told["bidirectional_packets"]) == pytest.approx(8, rel=1e-5)
    assert np.expm1(told["src2dst_bytes"]) == pytest.approx(150, rel=1e-5)
    assert np.expm1(told["src2dst_mean_ps"]) == pytest.approx(50, rel=1e-5)
    assert np.expm1(told["dst2src_mean_ps"]) == pytest.approx(160, rel=1e-5)
    assert np.expm1(told["bidirectional_duration_ms"]) == pytest.approx(4000, rel=1e-5)
    assert (told["dst_port"], told["protocol"]) == (443, 6)
    assert (told["src2dst_syn"], told["dst2src_syn"]) == (1, 0)
    assert (told["dst2src_rst"], told["dst2src_fin"], told["src2dst_fin"]) == (1, 1, 0)


def test_a_flow_that_goes_on_is_told_of_each_half_hour_and_once_more():
    half = ACTIVE_US / SECOND
    times = (1, half + 1, half + 60, half + 120)
    flows = flows_of(part(1, UPDATE, at, orig_pkts=1) for at in times)
    assert flows.ended.tolist() == [BEGIN + int(at * SECOND) for at in (half + 1, half + 120)]
    told = [features(flows, k) for k in (0, 1)]
    assert [round(float(np.expm1(f["bidirectional_packets"]))) for f in told] == [2, 2]
    assert np.expm1(told[1]["bidirectional_duration_ms"]) == pytest.approx(119_000, rel=1e-4)


def test_hours_with_any_row_are_watched():
    other = TABLES.index(DNS)
    row = (BEGIN + 7200 * SECOND, A, B, *(0,) * 7)
    flows = flows_of([part(1, END, 0), (other, row + DEFAULTS[other][len(row) :])])
    assert (flows.hours, len(flows.ended)) == (2, 1)
    assert flows_of([]).features.shape == (0, len(FEATURES))


def site(ended, source, hours=168):
    """A site whose flows differ in nothing."""
    many = len(ended)
    return SiteFlows(
        np.zeros((many, len(FEATURES)), np.float32), np.array(ended, np.int64),
        np.array(source, np.int32), [A, B], hours,
    )  # fmt: skip


def test_the_line_lets_one_interruption_a_week_through():
    """Two weeks: two interruptions. A's flows of one day are one; the second day's is the third."""
    day = 2 * QUIET_US
    sites = [site([0, 1, 2, day, 3 * day], [0, 0, 0, 0, 1]), site([0], [1])]
    scores = [np.array([9.0, 8.0, 7.0, 5.0, 1.0]), np.array([6.0])]
    assert weeks_of(sites) == 2
    line = line_of(sites, scores)
    assert line == 5.0
    told = [alerts_of(one, score, line) for one, score in zip(sites, scores, strict=True)]
    assert [len(each) for each in told] == [3, 1]
    assert {(s.sources, s.kind) for s in told[0]} == {((A,), ANY)}


def test_more_a_week_is_a_lower_line():
    flows = site([0, 4 * QUIET_US, 8 * QUIET_US], [0, 0, 0])
    assert line_of([flows], [np.array([3.0, 2.0, 1.0])], per_week=2) == 1.0


def test_equal_scores_pass_together_or_not_at_all():
    flows, scores = site([0, 4 * QUIET_US], [0, 0]), np.array([3.0, 3.0])
    line = line_of([flows], [scores])
    assert alerts_of(flows, scores, line) == []


def test_a_flow_between_two_days_joins_what_they_told():
    """Days 0 and 1.8 are two; what comes between, at 0.9, makes them one, and leaves room for another."""
    times = [0, int(1.8 * QUIET_US), int(0.9 * QUIET_US), 40 * QUIET_US, 80 * QUIET_US]
    flows = site(times, [0] * 5, hours=2 * 168)
    assert line_of([flows], [np.array([5.0, 4.0, 3.0, 2.0, 1.0])]) == 1.0


def test_too_few_flows_are_all_let_through():
    flows = site([0], [0])
    assert line_of([flows], [np.array([1.0])]) == -np.inf
    assert line_of([], []) == -np.inf


class _Ecod:
    """PyOD's interface, as far as it is used: distance from the mean of what was learned."""

    def fit(self, told):
        self.mean = told.mean(axis=0)
        return self

    def decision_function(self, told):
        assert 0 < len(told) <= models.CHUNK
        return np.abs(told - self.mean).sum(axis=1)


class _Stream:
    """PySAD's interface: it learns from one flow at a time, for as long as it was told to."""

    def __init__(self, grace_feature_mapping, grace_anomaly_detector, random_state):
        assert random_state == 0
        self.left = grace_feature_mapping + grace_anomaly_detector
        self.sum, self.seen = 0.0, 0

    def fit_partial(self, told):
        assert told.dtype == np.float64
        self.left, self.seen, self.sum = self.left - 1, self.seen + 1, self.sum + told
        return self

    def score_partial(self, told):
        assert self.left == 0
        return np.abs(told - self.sum / self.seen).sum()


@pytest.fixture
def libraries(monkeypatch):
    """All three: scikit-learn's own, and small ones with the others' interfaces in their place."""
    for name, content in (
        ("pyod", {}), ("pyod.models", {}), ("pyod.models.ecod", {"ECOD": _Ecod}),
        ("pysad", {}), ("pysad.models", {"KitNet": _Stream}),
    ):  # fmt: skip
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("dijkwacht_lab.peers.models.find_spec", lambda _: True)
    monkeypatch.setattr("dijkwacht_lab.peers.models.version", lambda _: "1.0")


def crowd(seed=0, many=300):
    return np.random.default_rng(seed).normal(5, 1, (many, len(FEATURES))).astype(np.float32)


def _strange_is_stranger(name):
    model = models.MODELS[name]()
    model.fit(crowd())
    scores = model.score(
        np.concatenate([crowd(1, 50), np.full((1, len(FEATURES)), 60, np.float32)])
    )
    assert (scores.shape, scores.dtype) == ((51,), np.float64)
    assert scores[-1] > scores[:-1].max()


@pytest.mark.parametrize("name", models.MODELS)
def test_what_is_strange_scores_higher(libraries, name):
    _strange_is_stranger(name)


@pytest.mark.parametrize("name", [name for name in models.MODELS if models.version_of(name)])
def test_so_it_does_with_the_libraries_that_are_installed(name):
    """Scikit-learn's always; ``pip install 'dijkwacht[peers]'`` adds the others."""
    _strange_is_stranger(name)


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(
        "dijkwacht_lab.peers.models.find_spec", lambda name: name == "sklearn" or None
    )
    assert measure.missing() == ["pyod", "pysad"]
    sites = [SiteFlows(crowd(), np.arange(300), np.zeros(300, np.int32), [A], 1)]
    assert [peer.name for peer in measure.measure([], sites, {})] == ["iforest"]


@pytest.mark.usefixtures("libraries")
def test_models_are_held_to_our_rule(tmp_path):
    """One file with a strange flow of the attacker's, one with a bystander's, a calm one."""
    apart = np.arange(300) * 2 * QUIET_US  # each is an interruption of its own
    sites = [SiteFlows(crowd(), apart, np.zeros(300, np.int32), [A], 168)]
    strange = np.concatenate([crowd(2, 5), np.full((1, len(FEATURES)), 60, np.float32)])
    ended = BEGIN + np.arange(6, dtype=np.int64) * SECOND
    source = np.array([0, 0, 0, 0, 0, 1], np.int32)
    own = SiteFlows(strange, ended, source, [B, A])
    items = [
        Labelled("c2.beacon", name, tmp_path / name, "all: src 10.0.0.1", "", 100)
        for name in ("his", "another", "none")
    ] + [Labelled("benign.app", "calm", tmp_path / "calm", "all benign", "", 100)]
    flows = {
        str(tmp_path / "his"): own,
        str(tmp_path / "another"): own._replace(addresses=[A, B]),
        str(tmp_path / "none"): flows_of([]),
        str(tmp_path / "calm"): SiteFlows(crowd(3, 6), ended, source, [B, A]),
    }
    ours = [judge(item, Outcome(first=BEGIN, watched_s=60.0, packets=100)) for item in items]
    columns = list(measure.measure(ours, sites, flows))
    assert [peer.name for peer in columns] == list(models.MODELS)
    for peer in columns:
        status = {j.labelled.file: j.status for j in peer.judged}
        assert status["his"] == "caught", peer.name
        assert (status["another"], status["none"], status["calm"]) == ("missed", "missed", "clean")
        (caught,) = (j for j in peer.judged if j.labelled.file == "his")
        assert caught.detect_s == 5.0
        assert peer.about["scored_flows"] == 300 + 18
        assert peer.lines[0].startswith(peer.about["library"])
        at = peer.about["at"]
        assert list(at) == ["1", "10", "100"]
        assert (at["1"]["caught"], at["1"]["attacks"], at["1"]["benign"]) == (1, 3, 1)
        assert at["1"]["caught"] <= at["10"]["caught"] <= at["100"]["caught"] == 2
        assert peer.lines[2] == "at 100 a site-week: 2 of 3 attacks, 1 of 1 benign files"


def test_learning_is_from_a_few_of_each_site_and_always_the_same():
    sites = [
        SiteFlows(crowd(k, many), np.arange(many) + k, np.zeros(many, np.int32), [A], 1)
        for k, many in enumerate((benign.MOST_OF_ONE + 100, 50))
    ]
    taken = benign.sample(sites, 10_000)
    assert len(taken) == benign.MOST_OF_ONE + 50
    assert (taken == benign.sample(sites[::-1], 10_000)).all()
    assert len(benign.sample(sites, 70)) == 70


def test_offices_are_among_what_is_learned_from():
    (flows,) = benign.gather([], [Office(1, 5)], days=1 / 24, jobs=1)
    assert len(flows.ended) > 100
    assert flows.hours in {1, 2}
    assert all(office in benign.LEARNED for office in benign.OFFICES)
