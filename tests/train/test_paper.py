"""The paper's figures: all can be declared and drawn, one is made from nothing, the rule is as written."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deqmpc_core.errors import ConfigError, JobError, TrainingError, UnknownNameError
from deqmpc_core.policies import make_policy
from deqmpc_core.tasks import load_task
from deqmpc_train.config import Overrides
from deqmpc_train.data import Windows, load_episodes
from deqmpc_train.eval.iterations import window_errors
from deqmpc_train.eval.residuals import NAMES
from deqmpc_train.held_out import held_out_errors
from deqmpc_train.paper import fig8, fig10, make, measured, plot
from deqmpc_train.paper.catalogue import FIGURES
from deqmpc_train.paper.cost import cost, markdown
from deqmpc_train.paper.figure import FOUR
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.ledger import FILE, Ledger
from deqmpc_train.paper.options import figures_of
from deqmpc_train.paper.page import BANNER
from deqmpc_train.paper.publish import index, jobs_of, publish
from deqmpc_train.paper.scale import scale_of
from deqmpc_train.paper.take_over import take_over
from deqmpc_train.sweep import Ended, Job, Store, closure, run
from deqmpc_train.sweep.work import attempt
from deqmpc_train.tuned import BUDGETS, tuned
from deqmpc_train.verbs import paper as paper_verb
from deqmpc_train.verbs import train as train_verb

TINY = Overrides(steps=4, rounds=3, batch=4, hidden=8, validate_every=2)
TASK = load_task("crazyflie")


class Inline:
    """An executor without processes."""

    slots = 1

    def __init__(self) -> None:
        self.waiting: list[tuple[Job, Path]] = []

    def check(self, job: Job) -> None:
        """There is room for all."""

    def start(self, job: Job, root: Path) -> bool:
        self.waiting.append((job, root))
        return True

    def ended(self, seconds: float) -> list[Ended]:
        job, root = self.waiting.pop(0)
        return [Ended(job.key, attempt(root, job))]

    def stop(self) -> None:
        """Nothing runs."""


def tiny_plan(data: Path) -> Plan:
    """Of figures on the crazyflie, whose data set is in a folder of its name."""
    scale = replace(scale_of("smoke"), overrides=TINY, grid=(1e-3,), windows=12)
    folder = data.parent / "sets"
    folder.mkdir(exist_ok=True)
    data.rename(folder / "crazyflie")
    return Plan(scale, folder)


def test_a_figure_from_nothing_and_a_second_time_for_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fig10, "TASK", "crazyflie")
    plan, store, figure = tiny_plan(data), Store(tmp_path / "store"), FIGURES["fig10"]
    jobs = jobs_of([figure], plan)
    report = run(jobs, store, Inline())
    assert len(report.computed) == 13  # data, and of each variant rate, training and errors
    told = publish(figure, plan, store, tmp_path / "out", "deqmpc paper fig10")
    assert run(jobs, store, Inline()).computed == []
    assert len(told["cells"]) == 4 * 6 and all(c["value"] > 0.0 for c in told["cells"])
    assert {c["verdict"] for c in told["claims"]} == {"too noisy to say"}  # one episode is held out
    page = (tmp_path / "out" / "fig10.md").read_text()
    assert "Made by `deqmpc paper fig10`" in page and all(c.text in page for c in figure.claims)
    (tmp_path / "out" / "why").mkdir()
    (tmp_path / "out" / "why" / "fig10.md").write_text("Too few steps: `make more`.\n")
    publish(figure, plan, store, tmp_path / "out", "deqmpc paper fig10")
    whole = (tmp_path / "out" / "fig10.md").read_text()
    assert whole == page + "\n## Why\n\nToo few steps: `make more`.\n"
    index(tmp_path / "out")
    assert "[fig10](fig10.md)" in (tmp_path / "out" / "README.md").read_text()
    assert (tmp_path / "out" / "fig10.png").stat().st_size > 10_000


def test_a_ledger_stands_for_a_store_that_is_gone(data: Path, tmp_path: Path) -> None:
    plan, store, file = tiny_plan(data), Store(tmp_path / "store"), tmp_path / FILE
    training = plan.training("crazyflie", "nn")
    errors, other = plan.errors(training), plan.flight(training)
    run([errors], store, Inline())
    Ledger(store, file).keep([errors])
    Ledger(Store(tmp_path / "none"), file).keep([other])  # takes nothing away
    gone = Store(tmp_path / "gone")
    ledger = Ledger(gone, file)
    assert ledger.done(errors) and ledger.done(training) and not ledger.done(other)
    for read in ("result", "seconds", "code"):
        assert getattr(ledger, read)(errors) == getattr(store, read)(errors)
    report = run([job for job in (errors, other) if not ledger.done(job)], gone, Inline())
    assert training.key in report.computed and errors.key not in report.computed  # weights are not kept
    lines = file.read_text()
    file.write_text(lines + lines[:40])
    with pytest.raises(ConfigError, match=f"{FILE}', line 5: expected a job's result"):
        Ledger(store, file)
    assert file.read_text() == lines + lines[:40]


def test_the_cost_of_a_sweep_counts_every_step_once(data: Path, tmp_path: Path) -> None:
    plan, store = tiny_plan(data), Store(tmp_path / "store")
    jobs = [plan.errors(plan.training("crazyflie", "nn", split)) for split in (0, 1)]
    jobs.append(plan.errors(plan.training("crazyflie", "nn", overrides=Overrides(hidden=16))))
    told = cost(jobs, store)
    assert [(s["hidden"], s["batch"]) for s in told["steps"]] == [(8, 4), (16, 4)]
    each, wide = (s["seconds"] for s in told["steps"])
    hours = {kind["kind"]: (kind["jobs"], 3600.0 * kind["hours"]) for kind in told["kinds"]}
    assert hours["train"] == (3, pytest.approx(2 * 4 * each + 4 * wide))
    assert hours["rate"] == (1, pytest.approx(1 * each))  # a tenth of 4 steps, at least one
    assert told["wall_hours"][1] == pytest.approx(told["hours"]) and told["chain_hours"] < told["hours"]
    assert "In all" in markdown(told, "deqmpc sweep")


def test_what_compare_trained_is_taken_over(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fig8, "TASK", "crazyflie")
    plan, store, made = tiny_plan(data), Store(tmp_path / "store"), tmp_path / "compared"
    words = ["--task", "crazyflie", "--variant", "nn", "--data", str(tmp_path / "sets" / "crazyflie"),
             "--budget", "smoke", "--tune", "--grid", "1e-3", "--steps", "4", "--rounds", "3", "--batch", "4",
             "--hidden", "8", "--validate-every", "2", "--threads", "1"]  # fmt: skip
    name = "crazyflie-nn"
    places = ["--out", str(made / "models" / name), "--run-dir", str(made / "train" / name)]
    assert train_verb.main([*words, *places]) == 0
    wanted, other = plan.training("crazyflie", "nn"), plan.training("crazyflie", "nn", split=1)
    run([wanted.needs["data"]], store, Inline())
    assert take_over([wanted, other], store, [made]) == ["rate crazyflie nn", "train crazyflie nn"]
    found = store.result(wanted)
    assert found["from"] == "deqmpc compare, crazyflie-nn" and [p["step"] for p in found["curve"]] == [2, 4]
    report = run([plan.errors(wanted), other], store, Inline())
    assert len(report.computed) == 2 and store.result(other)["from"] == "trained here"
    assert store.result(other)["learning_rate"] == found["learning_rate"]
    stricter = replace(plan, scale=replace(plan.scale, overrides=replace(TINY, batch=5)))
    assert take_over([stricter.training("crazyflie", "nn")], store, [made]) == []
    shutil.rmtree(made / "train")  # a bundle alone, as in models/
    fresh = Store(tmp_path / "fresh")
    run([wanted.needs["data"]], fresh, Inline())
    assert len(take_over([wanted], fresh, [made])) == 2 and fresh.result(wanted)["curve"] == []


@pytest.mark.parametrize("variant", ["deqmpc-deq", "diffmpc-nn", "nn"])
def test_errors_by_iteration_end_where_the_policy_does(data: Path, variant: str) -> None:
    torch.manual_seed(0)
    config = tuned("crazyflie", variant, "smoke", Overrides(rounds=2, hidden=8))
    policy = make_policy(config.policy, TASK)
    assert policy.network is not None
    torch.nn.init.normal_(policy.network.outlet.weight, std=0.3)  # it starts at zero
    windows = Windows(load_episodes(data, TASK), config.window, TASK.system)
    full = np.flatnonzero(windows.take(np.arange(len(windows))).mask.all(1).numpy())[:7]
    found = window_errors(policy, windows.take(full), config)
    windows.starts, windows.ends = windows.starts[full], windows.ends[full]
    expected = held_out_errors(policy, windows, len(full), config)
    assert found.cold.mean() == pytest.approx(expected.cold, rel=1e-6)
    assert found.error.mean() == pytest.approx(expected.error, rel=1e-6)
    assert found.iterations.shape == ((1 if variant == "nn" else 4), 7)
    np.testing.assert_allclose(found.iterations[-1], found.cold, rtol=1e-6)


class Made:
    """A store in which every job has a result of the right form."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken

    def done(self, job: Job) -> bool:
        return True

    def seconds(self, job: Job) -> tuple[float, float]:
        return 36.0, 36.0

    def code(self, job: Job) -> str:
        return job.kind  # as many states of the code as kinds

    def result(self, job: Job) -> dict[str, Any]:
        if self.broken and self.broken in job.name and job.kind != "train":
            return {"missing": "step 3: loss is not finite"}
        rng = np.random.default_rng(int(job.key, 16) % 2**32)
        values = [float(v) for v in rng.uniform(0.5, 1.0, 6)]
        curve = [{"step": 5 * i, "error": v, "cold": v, "warm": v} for i, v in enumerate(values, 1)]
        rounds = [
            {"round": i, "all_share": 0.9}
            | {
                k: {"median": 1e-4 / i, "p95": 1e-3 / i, "share": 0.9}
                for k in NAMES
            }
            for i in (1, 2, 3)
        ]
        made: dict[str, dict[str, Any]] = {
            "flight": {
                "returns": values, "expert": [1.0] * 6, "failed": [False] * 6, "success": [True] * 6,
            },
            "simulation": {
                "returns": values, "expert": [1.0] * 6, "failed": [True] + [False] * 5, "success": [True] * 6,
            },
            "errors": {"windows": [2.0] * 6, "error": values, "iterations": [values] * 12},
            "train": {"curve": curve, "validation_error": min(values), "stopped": None},
            "residuals": {"rounds": rounds, "last": dict.fromkeys(NAMES, [1e-4] * 9)},
            "times": {v: {"total": values, "network": [0.1] * 6, "solver": [0.4] * 6} for v in FOUR},
        }  # fmt: skip
        return made.get(job.kind, {})


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_judged(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "_DPI", 40)
    monkeypatch.setattr(measured, "RESAMPLES", 200)
    store: Any = Made()
    smoke = publish(FIGURES[name], Plan(scale_of("smoke")), store, tmp_path, f"deqmpc paper {name}")
    assert {c["verdict"] for c in smoke["claims"]} == {"too noisy to say"}
    assert BANNER in (tmp_path / f"{name}.md").read_text()
    told = publish(FIGURES[name], Plan(scale_of("laptop")), store, tmp_path, f"deqmpc paper {name}")
    assert len(told["claims"]) == len(FIGURES[name].claims) and all(c["parts"] for c in told["claims"])
    page = (tmp_path / f"{name}.md").read_text()
    assert BANNER not in page and "states of the code" in page and "nan" not in page
    assert json.loads((tmp_path / f"{name}.json").read_text()) == told
    monkeypatch.setattr(plot, "save", lambda *_: None)
    store.broken = "diffmpc-deq"
    broken = publish(FIGURES[name], Plan(scale_of("laptop")), store, tmp_path, "again")
    if name not in ("fig6", "fig7", "convergence"):
        assert "did not train" in (tmp_path / f"{name}.md").read_text()
        assert any(
            p["value"] is None and p["verdict"] == "too noisy to say"
            for c in broken["claims"]
            for p in c["parts"]
        )


def test_what_is_whole_is_drawn_though_another_figure_s_job_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise JobError("1 of 9 jobs failed")

    class Half(Made):
        def done(self, job: Job) -> bool:
            return "diffmpc" not in job.name

    monkeypatch.setattr(paper_verb, "compute", fail)
    monkeypatch.setattr(paper_verb, "Store", lambda _: Half())
    assert paper_verb.main(["convergence", "fig8", "--budget", "smoke", "--out", str(tmp_path)]) == 1
    assert {file.stem for file in tmp_path.glob("*.png")} == {"convergence"}


def test_a_grid_of_which_no_rate_trains_is_a_result(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TrainingError("no learning rate of 0.001 trains; try lower ones")

    monkeypatch.setattr(make, "tune", fail)
    plan, store = tiny_plan(data), Store(tmp_path / "store")
    job = plan.errors(plan.training("crazyflie", "nn"))
    run([job], store, Inline())
    assert store.result(job) == {"missing": "no learning rate of 0.001 trains"}


@pytest.mark.parametrize("budget", BUDGETS)
def test_figures_share_their_trainings_and_their_learning_rates(budget: str) -> None:
    plan = Plan(scale_of(budget))
    found = {name: {key for key, j in closure(jobs_of([FIGURES[name]], plan)).items() if j.kind == "train"}
             for name in ("fig2", "fig8", "fig10", "timing", "table1")}  # fmt: skip
    assert all(found[name] <= found["fig2"] for name in found)
    every = closure([job for name in FIGURES for job in jobs_of([FIGURES[name]], plan)])
    rates = {key for key, job in every.items() if job.kind == "rate"}
    assert len(rates) == 7 * 4 + 2  # four variants of seven tasks, and two without MPC
    fig2, tasks = [FIGURES["fig2"]], ("pendulum", "cartpole")
    parts = [job.key for task in tasks for job in jobs_of(fig2, plan, [task])]
    assert sorted(parts) == sorted({job.key for job in jobs_of(fig2, plan, tasks)})
    assert set(parts) < {job.key for job in jobs_of(fig2, plan)}
    with pytest.raises(UnknownNameError, match="did you mean 'pendulum'"):
        jobs_of(fig2, plan, ["penduum"])
    with pytest.raises(UnknownNameError, match="did you mean 'fig10'"):
        figures_of(["fig1o"])
