"""Policies with a network: DEQ-MPC asks it every round, Diff-MPC once."""

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.nets import NetworkAnswer, Scene, WaypointNetwork
from deqmpc_core.policies.base import Policy
from deqmpc_core.types import Observation


class LearnedPolicy(Policy):
    """Waypoints by a network; its latent is the memory."""

    def _network(self) -> WaypointNetwork:
        if not isinstance(self.network, WaypointNetwork):
            raise ConfigError(f"variant '{self.config.variant}' needs a network; load a bundle or train one")
        return self.network

    def ask(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None) -> NetworkAnswer:
        """The network's answer to x0 (B, n) and the plan (B, T, n); it may be on another device than states
        and solver, and its latent stays there."""
        network = self._network()
        there = network.outlet.weight.device
        if there == x0.device:
            return network(x0, plan, z, scene)
        if scene is not None:
            seen, since, estimate, radius = scene
            scene = Scene(seen.to(there), since, estimate.to(there), radius.to(there))
        answer = network(x0.to(there), plan.to(there), z, scene)
        back = {k: v.to(x0.device) for k, v in answer._asdict().items() if v is not None and k != "z"}
        return answer._replace(**back)

    def memory(self, x0: Tensor) -> Tensor:
        """A cold latent."""
        return self._network().latent(x0.shape[0])

    def scene(self, observation: Observation, estimate: Tensor | None) -> Scene | None:
        """The spheres the observation brings, else the task's own; where they were not predicted before, they
        are thought to rest."""
        spheres = observation.spheres or self.task.spheres
        if self._network().obstacles is None or spheres is None:
            return None
        x0, center, since = observation.x, spheres.center.to(observation.x), 0
        if center.ndim == 4:
            center, since = center[:, 0], 1
        center = center.expand(x0.shape[0], -1, 3)
        if estimate is None:
            estimate = center[:, None].expand(-1, self.config.horizon, -1, -1)
        elif estimate.shape[2] != center.shape[1]:
            raise ShapeError(
                f"the observation has {center.shape[1]} spheres, the tick before had {estimate.shape[2]}; "
                "start cold with initial_state(batch)"
            )
        radius = torch.as_tensor(spheres.radius, dtype=x0.dtype, device=x0.device).expand(center.shape[:2])
        return Scene(center, since, estimate, radius)
