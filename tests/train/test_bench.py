"""Problems of the generator, and the benchmark's report on a tiny set."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.testing import (
    Answers,
    IpoptOracle,
    cost_and_violation,
    finite_difference,
    ipopt_answers,
    random_problems,
    solved_share,
    warm_problems,
)
from deqmpc_train.bench import report
from deqmpc_train.bench.cases import ProblemSet, Settings
from deqmpc_train.bench.growth import line
from deqmpc_train.bench.peer import NotSupported, Peer


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 50))
def test_a_problem_depends_on_its_seed_and_number_alone(seed: int, horizon: int, obstacles: int) -> None:
    many, few = (random_problems("quadrotor", horizon, n, seed, obstacles) for n in (3, 2))
    assert many.spheres is not None and few.spheres is not None
    assert torch.equal(many.x0[:2], few.x0) and torch.equal(many.reference[:2], few.reference)
    for a, b in zip(many.spheres, few.spheres, strict=True):
        assert torch.equal(torch.as_tensor(a)[:2], torch.as_tensor(b))
    assert not torch.equal(random_problems("quadrotor", horizon, 3, seed + 1).x0, many.x0)
    longer = random_problems("quadrotor", horizon + 1, 3, seed)
    assert torch.equal(longer.reference[:, :horizon], many.reference)
    distance = (many.x0[:, None, :3] - many.spheres.center).norm(dim=-1)
    assert (distance > torch.as_tensor(many.spheres.radius)).all()


def test_ipopt_solves_the_problems_and_its_answers_are_kept(tmp_path: Path) -> None:
    """Both constraint kinds are active somewhere; a second call reads what the first wrote."""
    problems = random_problems("quadrotor", 5, 6, 11, 40)
    answers = ipopt_answers(problems, tmp_path)
    assert answers.ok.all() and problems.spheres is not None
    cost, violation = cost_and_violation(problems, answers.x, answers.u)
    assert torch.allclose(cost, answers.cost) and violation.max() < 1e-6
    offset = answers.x[:, 1:, None, :3] - problems.spheres.center[:, None]
    gap = offset.norm(dim=-1) - torch.as_tensor(problems.spheres.radius)[:, None]
    assert gap.min().abs() < 1e-4
    limits = torch.minimum(answers.u - problems.task.u_lo, problems.task.u_hi - answers.u)
    assert limits.min().abs() < 1e-4
    assert len(list(tmp_path.glob("*.npz"))) == 1
    again = ipopt_answers(problems, tmp_path)
    assert torch.equal(again.seconds, answers.seconds)
    assert solved_share(problems, answers.x, answers.u, answers)[1:] == (6, 1.0)
    worse = answers.u.clone()
    worse[0, 0, 0] += 1e-2
    assert solved_share(problems, answers.x, worse, answers).share == pytest.approx(5 / 6)


def test_warm_problems_start_near_the_plan_and_are_easier() -> None:
    before = random_problems("pendulum", 10, 8, 2)
    oracle = IpoptOracle(before.task, 10)
    plan = oracle(before)
    after = warm_problems(before, plan.x, plan.u)
    assert before.cold and not after.cold
    assert (after.x0 - plan.x[:, 1]).abs().max() < 0.2
    assert torch.equal(after.reference[:, :-1], before.reference[:, 1:])
    assert cost_and_violation(after, *after.guess)[1].max() < 0.3
    assert oracle(after).ok.all()


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'quadrotor'"):
        random_problems("quadroter", 5, 1)


def test_finite_difference_of_a_product() -> None:
    point, directions = torch.tensor([2.0, 3.0]).double(), torch.eye(2).double()
    slopes = finite_difference(lambda p: p.prod() * p, point, directions)
    assert torch.allclose(slopes, torch.tensor([[12.0, 9.0], [4.0, 12.0]]).double(), atol=1e-8)


def _guessing(shift: float) -> Peer:
    """A peer that returns IPOPT's plan, its controls off by `shift`."""

    def prepare(problems, mode: str):  # noqa: ANN001, ANN202
        if mode != "forward":
            raise NotSupported("not supported: forward only")
        answers: Answers = IpoptOracle(problems.task, problems.horizon)(problems)
        return lambda: (answers.x, answers.u + shift)

    return Peer(f"native {shift}", prepare)


def _failing(problems, mode: str):  # noqa: ANN001, ANN202
    raise ValueError("broken")


def test_report_judges_every_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right and wrong answers, peers that cannot and peers that break: each a row, in JSON and markdown."""
    peers = [_guessing(0.0), _guessing(1e-2), Peer("broken", _failing)]
    cells = ((1, "forward"), (6, "forward"), (6, "exact"))
    monkeypatch.setattr(report, "find_peers", lambda *_: (peers, []))
    monkeypatch.setattr(report, "problem_sets", lambda _: [ProblemSet("pendulum", 4, 0, False, cells)])
    monkeypatch.setattr(report, "growth", lambda _: {"horizon": [], "threads": _THREADS})
    steps: list[tuple[int, int]] = []
    tiny = Settings(folder=tmp_path, budget=0.01)
    found = report.run(tiny, lambda done, total, _: steps.append((done, total)))
    rows = {(r["peer"], r["batch"], r["mode"]): r for r in found["rows"]}
    assert len(rows) == 9 and steps[-1] == (4, 4)
    for batch in (1, 6):
        right, wrong = rows["native 0.0", batch, "forward"], rows["native 0.01", batch, "forward"]
        assert right["solved_share"] == 1.0 and wrong["solved_share"] == 0.0
        assert min(right["ratio"], wrong["ratio"]) == 1.0 and right["median_us_per_solve"] > 0.0
        assert rows["broken", batch, "forward"]["note"] == "failed: ValueError: broken"
    assert rows["native 0.0", 6, "exact"]["note"] == "not supported: forward only"
    text = report.markdown(json.loads(json.dumps(found)))
    assert "## pendulum T=4 box cold" in text and "| broken | 6 | exact |" in text


_THREADS = {"batch": 1, "solves_per_s": {}, "solver_speed_up": 1.0, "empty_speed_up": 1.0}


def test_line_fits() -> None:
    fit = line([5, 10, 20], [11.0, 21.0, 41.0])
    assert fit["slope"] == pytest.approx(2.0) and fit["r2"] == pytest.approx(1.0)
    assert line([1, 2, 3], list(np.array([1.0, 9.0, 2.0])))["r2"] < 0.5
