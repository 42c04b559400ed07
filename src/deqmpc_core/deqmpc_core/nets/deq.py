"""Deep equilibrium waypoint network: input injection, fixed-point layer, output layer (Eq. 15, Appendix
A.8)."""

import torch
from torch import Tensor

from deqmpc_core.nets.anderson import AndersonConfig, anderson
from deqmpc_core.nets.evaluator import Evaluator
from deqmpc_core.nets.layers import ConvBlock, FixedPointLayer
from deqmpc_core.nets.network import NetworkAnswer, NetworkShape, WaypointNetwork
from deqmpc_core.nets.obstacles import ObstacleNetwork, Scene
from deqmpc_core.nets.single import SingleSearch, suits

PHANTOM_STEPS = 3


class EquilibriumNetwork(WaypointNetwork):
    """z* = d(z*, I(x_0, tau)), theta = g(z*); gradients by phantom_steps more evaluations (Appendix A.4).

    The extra evaluations run with and without gradients, so training and inference are one function.
    """

    def __init__(
        self, shape: NetworkShape, config: AndersonConfig | None = None, phantom_steps: int = PHANTOM_STEPS,
        obstacles: ObstacleNetwork | None = None, weighs: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(shape, obstacles, weighs)
        self.config = config or AndersonConfig()
        self.phantom_steps = phantom_steps
        self.cell = FixedPointLayer(shape.hidden)
        self.head = ConvBlock(shape.hidden, shape.hidden)

    def latent(self, batch: int) -> Tensor:
        """Zeros (B, T, h)."""
        return self.outlet.weight.new_zeros(batch, self.shape.horizon, self.shape.hidden)

    def forward(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """x0 (B, n), plan (B, T, n), z (B, T, h) of the last round, the spheres -> theta and what else it
        predicts, z and the relative residual."""
        around = self.look(x0, plan, scene)
        injection = self.embed(x0, plan, around)
        latent, residual = self._fixed_point(injection, z)
        return self.answer(x0, self.head(latent), latent.detach(), residual, around)

    def _fixed_point(self, injection: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """z* (B, T, h) for an injection (B, T, h), searched from z, and its relative residual (B,)."""
        if suits(z):
            single = SingleSearch(self.cell, injection)
            found = single.solve(z, self.config)
            return single.iterate(found.z, self.phantom_steps), found.residual
        with torch.no_grad():
            evaluate = Evaluator(self.cell, injection)
            found = anderson(evaluate, z, self.config)
        latent = found.z
        for _ in range(self.phantom_steps):
            latent = self.cell(latent, injection) if torch.is_grad_enabled() else evaluate(latent)
        return latent, found.residual
