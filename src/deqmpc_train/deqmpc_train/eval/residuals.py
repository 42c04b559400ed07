"""Convergence of the alternation by round, on held-out states (Appendix A.2)."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.nets import EquilibriumNetwork
from deqmpc_core.policies import Policy
from deqmpc_core.types import Iterate, Observation
from deqmpc_train.eval.evaluate import held_out_windows, training_config
from deqmpc_train.loss import view

TOLERANCE = 1e-3
STATES = 400
NAMES = ("dynamics", "constraints", "deq", "joint")
WHAT = {
    "dynamics": "largest |x_{t+1} - f(x_t, u_t)| [state units]",
    "constraints": "largest violation of control limits [control units] and spheres r^2 - |p - c|^2 [m^2]",
    "deq": "|d(z) - z| / |d(z)| of the network's latent",
    "joint": "|tau^i - tau^{i-1}| / |tau^i| of the plan",
}


class Residuals(NamedTuple):
    """Each (N, B) by round and held-out state; see WHAT. deq is zero for a feed-forward network."""

    dynamics: Tensor
    constraints: Tensor
    deq: Tensor
    joint: Tensor

    def to_json(self) -> list[dict[str, Any]]:
        """By round: median, 95th percentile and share below 1e-3 of each, and the share where all are."""
        rounds = []
        for number, row in enumerate(zip(*self, strict=True), 1):
            values = dict(zip(NAMES, row, strict=True))
            told: dict[str, Any] = {"round": number}
            for name, value in values.items():
                told[name] = {
                    "median": float(value.median()), "p95": float(value.quantile(0.95)),
                    "share": float((value < TOLERANCE).double().mean()),
                }  # fmt: skip
            met = torch.stack([v < TOLERANCE for v in values.values()]).all(0)
            rounds.append(told | {"all_share": float(met.double().mean())})
        return rounds


def search_on(policy: Policy, tolerance: float | None, evaluations: int | None) -> None:
    """Let a policy's equilibrium network search until its residual is below tolerance, at most so many
    evaluations; None leaves what the policy has."""
    asked = {"tolerance": tolerance, "evaluations": evaluations}
    if isinstance(policy.network, EquilibriumNetwork):
        changed = {k: v for k, v in asked.items() if v is not None}
        policy.network.config = replace(policy.network.config, **changed)


def held_out_residuals(name: str, policy: Policy, data: Path, states: int = STATES) -> Residuals:
    """Residuals of a cold tick's rounds at evenly spaced held-out states. Raises ConfigError for a policy
    that does not alternate."""
    if not policy.asks_every_round:
        raise ConfigError(f"'{name}' asks its network once; only deqmpc-* policies have residuals by round")
    config = training_config(name, policy)
    assert config is not None
    windows = held_out_windows(policy, data, config)
    window = windows.take(np.array(windows.spread(states)))
    return residuals(policy, view(policy.task, window, 0, config.policy.horizon).seen)


def residuals(policy: Policy, seen: Observation) -> Residuals:
    """Residuals of the rounds of a cold tick."""
    with _Latents(policy) as latents:  # with gradients, for the cell is called as a module only then
        rounds = policy.unroll(seen, policy.initial_state(len(seen.x)))[0].rounds
    with torch.no_grad():
        return _of(policy, seen, rounds, latents.residuals)


def _of(
    policy: Policy, seen: Observation, rounds: tuple[Iterate, ...], latents: list[Tensor]
) -> Residuals:
    x0, horizon = seen.x[:, None], policy.config.horizon
    first = policy.task.control_reference.expand(len(seen.x), horizon, -1)
    before = Iterate(x0.expand(-1, horizon + 1, -1), first, rounds[0].theta)
    joint, dynamics, constraints = [], [], []
    for iterate in rounds:
        joint.append(_change(iterate, before))
        dynamics.append(_defect(policy, iterate))
        constraints.append(_violation(policy, seen, iterate))
        before = iterate
    deq = latents or [torch.zeros_like(j) for j in joint]
    return Residuals(*(torch.stack(v).double() for v in (dynamics, constraints, deq, joint)))


class _Latents:
    """Watches the equilibrium network's cell: of each round the relative residual at the input of its last
    evaluation, that is of the latent the waypoints are read from or better."""

    def __init__(self, policy: Policy) -> None:
        self.network = policy.network if isinstance(policy.network, EquilibriumNetwork) else None
        self.residuals: list[Tensor] = []
        self._last = torch.zeros(0)
        self._handles: list[Any] = []

    def __enter__(self) -> "_Latents":
        if self.network is not None:
            self._handles = [
                self.network.cell.register_forward_hook(self._cell),
                self.network.register_forward_hook(lambda *_: self.residuals.append(self._last)),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _cell(self, _: object, inputs: tuple[Tensor, ...], image: Tensor) -> None:
        gap = (image - inputs[0]).flatten(1).norm(dim=1)
        size = image.flatten(1).norm(dim=1).clamp_min(torch.finfo(image.dtype).tiny)
        self._last = (gap / size).detach()


def _change(now: Iterate, before: Iterate) -> Tensor:
    tau, old = (torch.cat((i.x[:, 1:].flatten(1), i.u.flatten(1)), 1) for i in (now, before))
    return (tau - old).norm(dim=1) / tau.norm(dim=1).clamp_min(1e-12)


def _defect(policy: Policy, iterate: Iterate) -> Tensor:
    task = policy.task
    after = task.system.rk4(iterate.x[:, :-1], iterate.u, task.dt, task.substeps)
    return (after - iterate.x[:, 1:]).abs().flatten(1).amax(1)


def _violation(policy: Policy, seen: Observation, iterate: Iterate) -> Tensor:
    """Of the constraints the solver holds, margin included."""
    task = policy.task
    parts = [torch.maximum(task.u_lo - iterate.u, iterate.u - task.u_hi).flatten(1)]
    if task.system.inequalities is not None:
        parts.append(task.system.inequality(iterate.x[:, 1:]).flatten(1))
    spheres = policy.obstacles(seen.spheres) or task.spheres
    if spheres is not None and task.system.position is not None:
        centers = spheres.center if iterate.centers is None else iterate.centers
        if centers.ndim == 3:
            centers = centers[:, None]
        radius = torch.as_tensor(spheres.radius, dtype=torch.float64) + policy.solver.margin
        way = task.position(iterate.x[:, 1:])[:, :, None] - centers
        parts.append((radius**2 - way.square().sum(-1)).flatten(1))
    return torch.cat(parts, 1).amax(1).clamp_min(0.0)
