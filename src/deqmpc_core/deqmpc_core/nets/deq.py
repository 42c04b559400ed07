"""Deep equilibrium waypoint network: input injection, fixed-point layer, output layer (Eq. 15, Appendix
A.8)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from deqmpc_core.nets.anderson import AndersonConfig, FixedPoint, anderson
from deqmpc_core.nets.layers import ConvBlock, TemporalConv, TemporalGroupNorm
from deqmpc_core.nets.network import NetworkAnswer, NetworkShape, WaypointNetwork
from deqmpc_core.nets.obstacles import ObstacleNetwork, Scene

WIDENING = 4
PHANTOM_STEPS = 3
# A start at which d contracts: median residual after 6 evaluations 0.004, with unit gains 0.1 (h = 64).
_FEEDBACK_GAIN = 0.25
_INJECTION_GAIN = 2.0


class FixedPointLayer(nn.Module):
    """d(z, injection): (B, T, h) -> (B, T, h), bounded by its last group norm."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.widen = TemporalConv(hidden, WIDENING * hidden)
        self.wide_norm = TemporalGroupNorm(WIDENING * hidden)
        self.narrow = TemporalConv(WIDENING * hidden, hidden)
        self.inner_norm = TemporalGroupNorm(hidden)
        self.outer_norm = TemporalGroupNorm(hidden)
        with torch.no_grad():
            self.narrow.weight.mul_(_FEEDBACK_GAIN)
            self.inner_norm.weight.fill_(_INJECTION_GAIN)

    def forward(self, z: Tensor, injection: Tensor) -> Tensor:
        """One evaluation of d."""
        y = self.wide_norm(functional.relu(self.widen(z)))
        update = self.inner_norm(injection + self.narrow(y))
        return self.outer_norm(functional.relu(z + update))


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

    def find_fixed_point(self, injection: Tensor, z: Tensor) -> FixedPoint:
        """z* of d(., injection) from the guess z, without gradients."""

        def cell(running: Tensor, rows: Tensor | None) -> Tensor:
            return self.cell(running, injection if rows is None else injection[rows])

        with torch.no_grad():
            return anderson(cell, z, self.config)

    def forward(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """x0 (B, n), plan (B, T, n), z (B, T, h) of the last round, the spheres -> theta and what else it
        predicts, z and the relative residual."""
        around = self.look(x0, plan, scene)
        injection = self.embed(x0, plan, around)
        found = self.find_fixed_point(injection, z)
        latent = found.z
        for _ in range(self.phantom_steps):
            latent = self.cell(latent, injection)
        return self.answer(x0, self.head(latent), latent.detach(), found.residual, around)
