"""The bare networks: they predict the states themselves, and no solver takes part in training."""

from time import perf_counter

import torch
from torch import Tensor

from deqmpc_core.policies.diff_mpc import DiffMpcPolicy
from deqmpc_core.policies.state import PolicyInfo, PolicyState, later
from deqmpc_core.types import Iterate, Observation, Plan, Status


class BarePolicy(DiffMpcPolicy):
    """x_1..x_T = NN(x_0), supervised as an iterate would be; variants nn and deq.

    `unroll` gives that prediction: the plan's x and its one round's x are (x_0, prediction), u is what the
    state held, and the solver does not run. When the policy acts, one tracking solve with the task's limits
    and spheres turns the prediction into controls, as Diff-MPC's would (`iterations` m AL iterations, N m
    cold): Plan.x and Plan.u are the solve's, Plan.rounds still hold the prediction as x.
    """

    def unroll(
        self,
        observation: Observation,
        state: PolicyState,
        iterations: int = 1,
        knots: float = 1.0,
        through: bool = True,
    ) -> tuple[Plan, PolicyState]:
        """One prediction, cold or warm; a warm one starts from the latent and the centres of the last."""
        self._check(observation, state, iterations)
        begun, x0, warm = perf_counter(), observation.x.to(torch.float64), state.warm
        known = warm.to(state.z.device).reshape(-1, *[1] * (state.z.ndim - 1))
        z = torch.where(known, state.z, self.memory(x0))
        scene = self.scene(observation._replace(x=x0), None)
        estimate = later(state.centers, knots)
        if scene is not None and estimate is not None:
            estimate = torch.where(warm[:, None, None, None], estimate, scene.estimate)
            scene = scene._replace(estimate=estimate)
        answer = self.propose(x0, x0[:, None].expand(-1, self.config.horizon, -1), z, scene)
        predicted = Iterate(states(x0, answer.theta), state.solver.u, answer.theta, answer.centers)
        status = torch.full_like(warm, Status.BUDGET_SPENT.code, dtype=torch.int64)
        unknown = torch.full_like(answer.residual, torch.nan)[None]
        info = PolicyInfo(1e3 * (perf_counter() - begun), 0.0, answer.residual[None], unknown)
        plan = Plan(predicted.x, predicted.u, predicted.theta, (predicted,), status, info)
        solver = state.solver._replace(x=predicted.x.detach())
        centers = None if answer.centers is None else answer.centers.detach()
        return plan, PolicyState(solver, answer.z, torch.ones_like(warm), centers)

    def _alternate(
        self, observation: Observation, begin: PolicyState, rounds: int, through: bool
    ) -> tuple[Plan, PolicyState]:
        """Predict, then track the prediction; the round reported is the prediction."""
        plan, state = super()._alternate(observation, begin, rounds, through)
        tracked = plan.rounds[-1]
        return plan._replace(rounds=(tracked._replace(x=states(observation.x, plan.theta)),)), state


def states(x0: Tensor, theta: Tensor) -> Tensor:
    """Knots 0..T (B, T+1, n) of x0 (B, n) and knots 1..T (B, T, n)."""
    return torch.cat((x0[:, None], theta), 1)
