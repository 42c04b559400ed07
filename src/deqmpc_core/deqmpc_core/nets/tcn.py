"""Feed-forward temporal convolution network (Appendix A.8)."""

from torch import Tensor, nn

from deqmpc_core.nets.layers import ConvBlock
from deqmpc_core.nets.network import NetworkAnswer, NetworkShape, WaypointNetwork
from deqmpc_core.nets.obstacles import ObstacleNetwork, Scene

BLOCKS = 4


class FeedForwardNetwork(WaypointNetwork):
    """The inlet block and three residual blocks, then one output layer; keeps no latent."""

    def __init__(
        self, shape: NetworkShape, obstacles: ObstacleNetwork | None = None, weighs: bool = False
    ) -> None:
        super().__init__(shape, obstacles, weighs)
        width = shape.hidden
        self.blocks = nn.Sequential(*(ConvBlock(width, width, residual=True) for _ in range(BLOCKS - 1)))

    def latent(self, batch: int) -> Tensor:
        """Nothing to remember: (B, 0)."""
        return self.outlet.weight.new_zeros(batch, 0)

    def forward(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """x0 (B, n), plan (B, T, n), the spheres -> theta (B, T, n) and what else it predicts; z passes
        through."""
        around = self.look(x0, plan, scene)
        features = self.blocks(self.embed(x0, plan, around))
        return self.answer(x0, features, z, x0.new_zeros(x0.shape[0]), around)
