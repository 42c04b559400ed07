"""mpc.pytorch (PyPI `mpc`, box-constrained iLQR with an analytic backward pass) as a peer.

It gets symbolic Jacobians of the discrete dynamics, its fastest mode. Its T counts states, ours intervals:
the state of its first step has no cost, the control of its last only its own.
"""

import contextlib
import importlib
import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from deqmpc_core.tasks import Task
from deqmpc_core.testing import Problems
from deqmpc_train.bench.own import load_functions, seed_of
from deqmpc_train.bench.peer import NotSupported, Peer, Run

_ITERATIONS = 10  # its default; enough for every problem of the set


class _Step(nn.Module):
    """One control interval and its Jacobians, as mpc.pytorch asks for them."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        """Successor (B, n)."""
        return self.task.system.rk4(x, u, self.task.dt, self.task.substeps)

    def grad_input(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """A (B, n, n) and B (B, n, m)."""
        _, a, b = self.task.system.rk4_jacobian(x, u, self.task.dt, self.task.substeps)
        return a, b


def mpc_pytorch(tolerance: float) -> Peer:
    """Raises ImportError where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = importlib.import_module("mpc.mpc")

    def prepare(problems: Problems, mode: str) -> Run:
        if problems.spheres is not None:
            raise NotSupported("not supported: no obstacles")
        if mode == "exact":
            raise NotSupported("not supported: no second derivatives of the dynamics")
        load_functions(problems)
        return _Call(library, problems, tolerance, mode != "forward")

    return Peer("mpc.pytorch", prepare)


class _Call:
    """One prepared call; with its weights as (T+1, B, n+m, n+m) matrices."""

    def __init__(self, library: Any, problems: Problems, tolerance: float, backward: bool) -> None:
        self._library, self._problems, self._backward = library, problems, backward
        task, batch, steps = problems.task, problems.batch, problems.horizon + 1
        weight = torch.cat([task.state_weight, task.control_weight]).expand(steps, task.n + task.m).clone()
        weight[0, : task.n] = 0.0
        self._weight = weight[:, None].expand(steps, batch, -1)
        self._matrix = torch.diag_embed(self._weight).contiguous()
        self._step, self._seeds = _Step(task), seed_of(problems)
        hold = task.control_reference.expand(1, batch, task.m)
        bounds = {"u_lower": task.u_lo, "u_upper": task.u_hi}
        self._solver = library.MPC(
            task.n, task.m, steps, u_init=torch.cat([problems.guess.u.transpose(0, 1), hold]),
            lqr_iter=_ITERATIONS, grad_method=library.GradMethods.ANALYTIC, eps=tolerance, verbose=-1,
            exit_unconverged=False, detach_unconverged=False, n_batch=batch,
            **{k: v.expand(steps, batch, task.m).clone() for k, v in bounds.items()},
        )  # fmt: skip
        self._x0, self._reference = (
            v.clone().requires_grad_(backward) for v in (problems.x0, problems.reference)
        )

    def __call__(self) -> tuple[Tensor, Tensor]:
        """x (B, T+1, n), u (B, T, m); its warnings and prints are dropped."""
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            x, u, _ = self._solver(self._x0, self._cost(), self._step)
            x, u = x.transpose(0, 1), u[:-1].transpose(0, 1)
            if self._backward:
                torch.autograd.backward((x, u), self._seeds, inputs=(self._x0, self._reference))
                self._x0.grad = self._reference.grad = None
        return x.detach(), u.detach()

    def _cost(self) -> Any:
        """0.5 z'Cz + c'z with c = -C (waypoint, reference control)."""
        task = self._problems.task
        ways = torch.cat([torch.zeros_like(self._x0)[:, None], self._reference], 1).transpose(0, 1)
        controls = task.control_reference.expand(*ways.shape[:2], task.m)
        return self._library.QuadCost(self._matrix, -self._weight * torch.cat([ways, controls], -1))
