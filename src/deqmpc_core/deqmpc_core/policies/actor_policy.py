"""The learned expert: its plan is the model rolled on under the actor's mean control."""

from time import perf_counter

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.nets import NetworkAnswer, Scene
from deqmpc_core.policies.actor import Actor
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.state import PolicyInfo, PolicyState
from deqmpc_core.types import Iterate, Observation, Plan, Spheres, Status


class ActorPolicy(Policy):
    """Variant expert-rl: theta and plan are the model's knots under the actor's mean control."""

    def memory(self, x0: Tensor) -> Tensor:
        """Nothing: (B, 0)."""
        return x0.new_zeros(x0.shape[0], 0)

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """The knots 1..T that the actor leads to."""
        return NetworkAnswer(self.rolled(x0, None)[0][:, 1:], z, torch.zeros_like(x0[:, 0]))

    def rolled(self, x: Tensor, spheres: Spheres | None) -> tuple[Tensor, Tensor]:
        """States (B, T+1, n) and controls (B, T, m) from x (B, n); angles unwrapped, every attitude on the
        branch of the knot before, though the model starts from the short set: the other one has a pole."""
        if not isinstance(self.network, Actor):
            raise ConfigError("variant 'expert-rl' needs an actor; load a bundle or train one")
        task, system, states, controls = self.task, self.task.system, [x], []
        for _ in range(self.config.horizon):
            short = system.to_short_mrp(states[-1])
            controls.append(self.network(short, spheres))
            after = system.rk4(short, controls[-1], task.dt, task.substeps)
            states.append(system.to_branch(after, states[-1]))
        return torch.stack(states, 1), torch.stack(controls, 1)

    def _tick(
        self,
        observation: Observation,
        state: PolicyState,
        iterations: int = 1,
        knots: float = 1.0,
        through: bool = True,
    ) -> tuple[Plan, PolicyState]:
        """One tick; the plan so far, `iterations` and `knots` do not matter to it."""
        self._check(observation, state, iterations)
        begun, x0 = perf_counter(), observation.x.to(torch.float64)
        x, u = self.rolled(x0, observation.spheres)
        theta, zero = x[:, 1:], torch.zeros(1, x.shape[0], dtype=x.dtype)
        status = torch.full((x.shape[0],), Status.CONVERGED.code)
        info = PolicyInfo(1e3 * (perf_counter() - begun), 0.0, zero, zero)
        after = state.solver._replace(x=x, u=u)
        warm = torch.ones(x.shape[0], dtype=torch.bool)
        return Plan(x, u, theta, (Iterate(x, u, theta),), status, info), PolicyState(after, state.z, warm)
