"""Networks that propose waypoints: a feed-forward TCN and a deep equilibrium model (Appendix A.8)."""

from deqmpc_core.nets.anderson import AndersonConfig, FixedPoint, anderson
from deqmpc_core.nets.deq import EquilibriumNetwork
from deqmpc_core.nets.network import NetworkAnswer, NetworkShape, Scaling, WaypointNetwork
from deqmpc_core.nets.obstacles import ObstacleNetwork, ObstacleShape, Scene, obstacle_width
from deqmpc_core.nets.tcn import FeedForwardNetwork

__all__ = [
    "AndersonConfig",
    "EquilibriumNetwork",
    "FeedForwardNetwork",
    "FixedPoint",
    "NetworkAnswer",
    "NetworkShape",
    "ObstacleNetwork",
    "ObstacleShape",
    "Scaling",
    "Scene",
    "WaypointNetwork",
    "anderson",
    "obstacle_width",
]
