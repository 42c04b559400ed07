"""What viewers show beside the path: obstacles (latched, once) and waypoints (each plan)."""

from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from deqmpc_core.flight.frames import Array
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import header, point

OBSTACLE_COLOUR = ColorRGBA(r=0.84, g=0.37, b=0.0, a=0.6)
WAYPOINT_COLOUR = ColorRGBA(r=0.0, g=0.45, b=0.70, a=1.0)
WAYPOINT_DIAMETER = 0.05


def sphere_list(
    centers: Array, diameter: float, colour: ColorRGBA, name: str, base: TimeBase, t: float
) -> MarkerArray:
    """One SPHERE_LIST marker: centers (k, 3) in the world frame [m]."""
    marker = Marker(header=header(base, t), ns=name, type=Marker.SPHERE_LIST, action=Marker.ADD, color=colour)
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = float(diameter)
    marker.points = [point(center) for center in centers]
    return MarkerArray(markers=[marker])


def obstacles(centers: Array, radius: float, base: TimeBase, t: float) -> MarkerArray:
    """Keep-out spheres."""
    return sphere_list(centers, 2.0 * radius, OBSTACLE_COLOUR, "obstacles", base, t)


def waypoints(points: Array, base: TimeBase, t: float) -> MarkerArray:
    """The network's waypoints of one plan."""
    return sphere_list(points, WAYPOINT_DIAMETER, WAYPOINT_COLOUR, "waypoints", base, t)
