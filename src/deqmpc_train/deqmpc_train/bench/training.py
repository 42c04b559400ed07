"""`deqmpc bench training`: one training step, split into network and solver, beside the torch backend's
solver."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from deqmpc_core.bundle import load_policy
from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.policies import PolicyConfig
from deqmpc_core.tasks import Task, load_task
from deqmpc_sim.envs import episode_starts, roll_out
from deqmpc_train.bench.stopwatch import seconds_of
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Episode, Episodes
from deqmpc_train.trainer import Trainer

_EPISODES = 20
_STEPS = 15


class TrainingSettings(NamedTuple):
    """The step that is timed; stream: L of the streamed step beside it; repetitions of each, and of the torch
    backend's solver."""

    task: str = "quadrotor"
    variant: str = "deqmpc-deq"
    hidden: int = 128
    batch: int = 200
    rounds: int = 6
    stream: int = 2
    threads: int = 2
    repetitions: int = 7
    torch_repetitions: int = 2


class Call(NamedTuple):
    """A solve as the policy asked for it."""

    x0: Tensor
    theta: Tensor
    state: Any
    iterations: int
    options: dict[str, Any]


class _Recorder:
    """A solver that keeps its calls."""

    def __init__(self, solver: TrackingSolver) -> None:
        self._solver, self.calls = solver, list[Call]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._solver, name)

    def __call__(
        self, x0: Tensor, theta: Tensor, state: Any, iterations: int, spheres: Any, **options: Any
    ) -> Any:
        kept = {k: v.detach() if isinstance(v, Tensor) else v for k, v in options.items()}
        self.calls.append(Call(x0, theta.detach(), state, iterations, kept | {"spheres": spheres}))
        return self._solver(x0, theta, state, iterations, spheres, **options)


def run(settings: TrainingSettings, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Seconds of a cold step and a streamed one, taken in turns, and of the cold one's solves alone (the same
    calls again, forwards and backwards) by the native and the torch backend."""
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        return _run(settings, progress)
    finally:
        torch.set_num_threads(before)


def _run(settings: TrainingSettings, progress: Callable[[str], None]) -> dict[str, Any]:
    task = load_task(settings.task)
    episodes = short_flights(task)
    with tempfile.TemporaryDirectory() as place:
        cold, streamed = (_trainer(settings, task, episodes, Path(place), n) for n in (0, settings.stream))
        progress("steps")
        calls = _recorded(cold)
        _recorded(streamed)
        native = {"forward": list[float](), "backward": list[float]()}
        steps: dict[str, list[float]] = {"cold": [], "streamed": []}
        for _ in range(settings.repetitions):
            steps["cold"].append(seconds_of(cold.train_step))
            steps["streamed"].append(seconds_of(streamed.train_step))
            _add(native, replay(cold.policy.solver, calls))
    progress("torch backend")
    own = cold.policy.config
    peer = TrackingSolver(
        task, own.horizon, backend="torch", penalty_max=own.mu_max, growth=own.gamma,
        newton_steps=own.newton_steps, adjoint=own.adjoint,
    )  # fmt: skip
    replay(peer, [c._replace(iterations=1) for c in calls[:1]])  # its functions are made at the first call
    torch_times = {"forward": list[float](), "backward": list[float]()}
    for _ in range(settings.torch_repetitions):
        _add(torch_times, replay(peer, calls))
    return _report(settings, steps, native, torch_times)


def short_flights(task: Task) -> Episodes:
    """Flights of a goal-tracking MPC: windows as training meets them."""
    starts, centers = episode_starts(task, 77, range(_EPISODES))
    flown = roll_out(task, load_policy("goal-mpc", task), starts, _STEPS, centers=centers)
    amid = [None] * _EPISODES if centers is None else list(centers.numpy())
    paths = zip(flown.states.numpy(), flown.actions.numpy(), amid, strict=True)
    return Episodes.of([Episode(x, u, c) for x, u, c in paths])


def _trainer(
    settings: TrainingSettings, task: Task, episodes: Episodes, place: Path, stream: int
) -> Trainer:
    policy = PolicyConfig(task.name, settings.variant, settings.hidden, rounds=settings.rounds)
    return Trainer(TrainConfig(policy, batch=settings.batch, stream_steps=stream), task, episodes, place)


def _recorded(trainer: Trainer) -> list[Call]:
    """The solver's calls of the second step: the first makes the waypoints depend on the weights."""
    trainer.train_step()
    solver = trainer.policy.solver
    recorder = _Recorder(solver)
    trainer.policy.solver = recorder  # type: ignore[assignment]
    trainer.train_step()
    trainer.policy.solver = solver
    return recorder.calls


def replay(solver: TrackingSolver, calls: list[Call]) -> tuple[float, float]:
    """Seconds of all calls forwards, and backwards from their states to their waypoints."""
    forward = backward = 0.0
    for call in calls:
        theta = call.theta.clone().requires_grad_()
        mark = time.perf_counter()
        solution = solver(call.x0, theta, call.state, call.iterations, **call.options)
        forward += time.perf_counter() - mark
        seed = torch.sign(solution.x - call.x0[:, None])
        mark = time.perf_counter()
        torch.autograd.backward((solution.x,), (seed,))
        backward += time.perf_counter() - mark
    return forward, backward


def _add(times: dict[str, list[float]], found: tuple[float, float]) -> None:
    times["forward"].append(found[0])
    times["backward"].append(found[1])


def _report(
    settings: TrainingSettings, steps: dict[str, list[float]], native: dict[str, list[float]],
    peer: dict[str, list[float]],
) -> dict[str, Any]:  # fmt: skip
    def middle(times: dict[str, list[float]]) -> dict[str, float]:
        parts = {k: statistics.median(v) for k, v in times.items()}
        return parts | {"total": sum(parts.values())}

    found, solver, other = middle(steps), middle(native), middle(peer)
    step = found["cold"]
    return {
        "settings": settings._asdict(),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
                    "load": list(os.getloadavg()), "torch": torch.__version__},
        "step_s": step, "solver_s": solver["total"], "solver_forward_s": solver["forward"],
        "solver_backward_s": solver["backward"], "network_s": step - solver["total"],
        "streamed_step_s": found["streamed"], "streamed_over_cold": found["streamed"] / step,
        "torch_solver_s": other["total"], "torch_solver_over_native": other["total"] / solver["total"],
        "fastest_step_s": min(steps["cold"]), "fastest_streamed_step_s": min(steps["streamed"]),
    }  # fmt: skip


def markdown(report: dict[str, Any]) -> str:
    """The figures as a table."""
    s, load = report["settings"], report["machine"]["load"][0]
    rows = [
        ("training step, cold", f"{report['step_s']:.3f} s"),
        ("of it the solver (forward, backward)", f"{report['solver_s']:.3f} s "
         f"({report['solver_forward_s']:.3f}, {report['solver_backward_s']:.3f})"),
        ("of it network and the rest", f"{report['network_s']:.3f} s"),
        (f"training step with L = {s['stream']} streamed ticks",
         f"{report['streamed_step_s']:.3f} s, {report['streamed_over_cold']:.2f} times the cold one"),
        ("solver by the torch backend", f"{report['torch_solver_s']:.3f} s, "
         f"{report['torch_solver_over_native']:.1f} times the native one"),
    ]  # fmt: skip
    lines = [
        "# Training step", "",
        f"{s['variant']} on {s['task']}, B = {s['batch']}, N = {s['rounds']}, h = {s['hidden']}, "
        f"{s['threads']} threads, load {load:.1f}; medians of {s['repetitions']} (torch backend: "
        f"{s['torch_repetitions']}) taken in turns.", "",
        "| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
