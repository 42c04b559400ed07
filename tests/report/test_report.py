"""`deqmpc report`: pages that need nothing but themselves."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deqmpc.report import flight, html
from deqmpc.report.bag import Recorded
from deqmpc.report.drawings import draw_path, policy_spans
from deqmpc.verbs.report import main

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault

TIMES = np.arange(20.0)[:, None] / 10.0
TOLD = Recorded(
    path=np.hstack([TIMES, TIMES, 0.0 * TIMES, 1.0 + 0.0 * TIMES]), estimate=np.zeros((0, 4)),
    ticks=np.hstack([TIMES, 4.0 + TIMES, 1.0 + TIMES, 2.0 + TIMES, 1e-6 + 0.0 * TIMES]),
    phases=[(0.0, "TAKEOFF", ""), (0.5, "POLICY", ""), (1.5, "LANDING", "the <policy> has flown")],
    clearance=np.hstack([TIMES, 0.3 - 0.1 * TIMES]), obstacles=np.array([[0.5, 0.5, 1.0, 0.1]]),
    statuses=Counter({"converged": 20}), policies=Counter({"goal-mpc": 20}), firmware=["0.1 s: armed"],
    topics=[("/deqmpc/plan", "deqmpc_interfaces/msg/Plan", 20)], notes={"policy": "goal-mpc"}, seconds=2.0,
)  # fmt: skip
SUMMARY = {
    "policy": "goal-mpc", "task": "crazyflie", "success_rate": 0.5, "normalised_return": 0.99,
    "baselines": {"hover": {"return_mean": 1.0, "success_rate": 0.0}},
    "episodes": [
        {"episode": 0, "success": True, "failure": None, "min_obstacle_distance": 0.01},
        {"episode": 1, "success": False, "failure": "collision <b>", "min_obstacle_distance": 0.0},
    ],
}  # fmt: skip


class Links(HTMLParser):
    """Everything a browser would load, and the words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = [value or "" for name, value in attrs if name in ("src", "href")]
        self.loads += [value for value in found if not value.startswith(("#", "data:"))]
        assert tag != "script"

    def handle_data(self, data: str) -> None:
        self.words += data


def looked_at(page: str) -> Links:
    seen = Links(page)
    assert [link for link in seen.loads if not link.startswith("http")] == [] and "@import" not in page
    assert not re.search(r"<(img|link|iframe)[^>]*https?:", page), "nothing is fetched"
    return seen


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    monkeypatch.setattr(flight, "bags", lambda _: [tmp_path / "bag", tmp_path / "bag_2"])
    monkeypatch.setattr(flight, "read", lambda _: TOLD)
    return tmp_path


def test_a_flight_is_told_on_one_page(run: Path) -> None:
    assert main([str(run)]) == 0
    page = (run / "report.html").read_text()
    words = looked_at(page).words
    for said in (
        "Flight of goal-mpc", "Episode 1", "collision <b>", "hover", "the <policy> has flown",
        "goal-mpc (20)", "converged (20)", "/deqmpc/plan", "0.1 s: armed", "has no bundle here",
    ):  # fmt: skip
        assert said in words, said
    assert page.count("<svg") == 3 and "least distance to an obstacle, take-off" in words
    assert main([str(run), "--episode", "0", "--out", str(run / "x" / "a.html")]) == 0
    assert "Episode 0" in (run / "x" / "a.html").read_text()


def test_bad_use_is_one_sentence(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(run), "--episode", "2"]) == 2
    assert "from 0 to 1, got 2" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "empty").mkdir()
    flight_bags = flight.bags
    flight.bags = lambda _: []  # type: ignore[assignment]
    assert main([str(tmp_path / "empty")]) == 2
    flight.bags = flight_bags
    assert "is no run" in " ".join(capsys.readouterr().err.split())


def test_the_policy_flies_where_its_phase_says_so() -> None:
    assert policy_spans(TOLD) == [(0.5, 1.5)]
    lines = draw_path(TOLD).axes[0].get_lines()
    policy = np.asarray(lines[1].get_xdata(), dtype=float)
    assert np.isfinite(policy).sum() == 11 and np.nanmin(policy) == pytest.approx(0.5)


def test_a_training_is_told_on_one_page(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    config = {"steps": 20, "learning_rate": 0.01, "policy": {"task": "crazyflie", "variant": "deqmpc-nn"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with SummaryWriter(str(tmp_path / "tensorboard")) as writer:
        for step in (10, 20):
            for tag in ("loss/eq13", "loss_by_round/cold_0", "residual/round_0", "validation/cold"):
                writer.add_scalar(tag, 1.0 / step, step)
            writer.add_scalar("validation/streamed", 0.5 / step, step)
    assert main([str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    words = looked_at(page).words
    for said in ("Training of crazyflie-deqmpc-nn", "20 of 20", "held-out L1, cold", "policy.variant"):
        assert said in words, said
    assert page.count("<svg") == 4 and "0.0375" in words, "the best of the means of cold and streamed"
    assert main([str(tmp_path), "--episode", "0"]) == 2


@RELAXED
@given(st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()))
def test_whatever_comes_in_stays_text(title: str, value: object) -> None:
    page = html.page(title, [html.section(title, html.facts({title: value}), html.preformatted(str(value)))])
    assert page.count("<script") == 0 and page.count("<section>") <= 1
    Links(page)


def test_markup_in_a_card_is_shown_not_obeyed() -> None:
    text = html.markdown("# card\n\n<script>alert(1)</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert "<script" not in text and "<h1>card</h1>" in text and "<td>2</td>" in text
