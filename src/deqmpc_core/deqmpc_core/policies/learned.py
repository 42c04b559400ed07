"""Policies with a network: DEQ-MPC asks it every round, Diff-MPC once."""

from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.nets import WaypointNetwork
from deqmpc_core.policies.base import Policy


class LearnedPolicy(Policy):
    """Waypoints by a network; its latent is the memory."""

    def _network(self) -> WaypointNetwork:
        if not isinstance(self.network, WaypointNetwork):
            raise ConfigError(f"variant '{self.config.variant}' needs a network; load a bundle or train one")
        return self.network

    def memory(self, x0: Tensor) -> Tensor:
        """A cold latent."""
        return self._network().latent(x0.shape[0])
