"""The training benchmark on a tiny step: its parts add up, both backends solve the recorded calls alike."""

import pytest
import torch

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.tasks import load_task
from deqmpc_train.bench import training
from deqmpc_train.bench.training import TrainingSettings


def test_the_report_splits_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, list[training.Call]]] = []
    replay = training.replay

    def watched(solver: TrackingSolver, calls: list[training.Call]) -> tuple[float, float]:
        seen.append(("native" if solver.native else "torch", calls))
        return replay(solver, calls)

    monkeypatch.setattr(training, "replay", watched)
    before = torch.get_num_threads()
    tiny = TrainingSettings(
        "crazyflie", hidden=8, batch=3, rounds=2, threads=1, repetitions=1, torch_repetitions=1
    )
    report = training.run(tiny)
    assert torch.get_num_threads() == before
    parts = report["solver_s"] + report["network_s"]
    assert report["step_s"] == pytest.approx(parts) and report["torch_solver_over_native"] > 1.0
    assert [name for name, _ in seen] == ["native", "torch", "torch"] and len(seen[-1][1]) == 2
    assert "times the native one" in training.markdown(report)
    task, call = load_task("crazyflie"), seen[-1][1][1]
    plans = [
        TrackingSolver(task, 5, backend=b, growth=4.0, newton_steps=2)(call.x0, call.theta, call.state, 2).x
        for b in ("native", "torch")
    ]
    torch.testing.assert_close(*plans, rtol=0.0, atol=1e-6)
