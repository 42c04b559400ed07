"""What viewers show beside the path: obstacles (latched, once) and waypoints (each plan)."""

from collections.abc import Sequence

import numpy as np
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from deqmpc_core.flight.frames import Array
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import header, point

OBSTACLE_COLOUR = ColorRGBA(r=0.84, g=0.37, b=0.0, a=0.6)
WAYPOINT_COLOUR = ColorRGBA(r=0.0, g=0.45, b=0.70, a=1.0)
WAYPOINT_DIAMETER = 0.05
ROUND_COLOUR = ColorRGBA(r=0.8, g=0.47, b=0.65, a=1.0)
ROUND_WIDTH = 0.01


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


def spheres(centers: Array, radii: Array, base: TimeBase, t: float) -> MarkerArray:
    """Keep-out spheres of any radii (k,) in the place of all shown before: one list where the radii agree."""
    if len(radii) and np.ptp(radii) == 0.0:
        shown = obstacles(centers, float(radii[0]), base, t).markers
    else:
        pairs = enumerate(zip(centers, radii, strict=True))
        shown = [_sphere(k, center, float(radius), base, t) for k, (center, radius) in pairs]
    clear = Marker(header=header(base, t), ns="obstacles", action=Marker.DELETEALL)
    return MarkerArray(markers=[clear, *shown])


def _sphere(number: int, center: Array, radius: float, base: TimeBase, t: float) -> Marker:
    (marker,) = obstacles(center[None], radius, base, t).markers
    marker.id = number
    return marker


def rounds(plans: Sequence[Array], base: TimeBase, t: float) -> MarkerArray:
    """A line (T+1, 3) for the plan of each round of one tick, in the place of all shown before."""
    shown = [Marker(header=header(base, t), ns="rounds", action=Marker.DELETEALL)]
    for index, plan in enumerate(plans):
        line = Marker(
            header=header(base, t), ns="rounds", id=index, type=Marker.LINE_STRIP, color=ROUND_COLOUR
        )
        line.pose.orientation.w = 1.0
        line.scale.x = ROUND_WIDTH
        line.points = [point(knot) for knot in plan]
        shown.append(line)
    return MarkerArray(markers=shown)


def waypoints(points: Array, base: TimeBase, t: float) -> MarkerArray:
    """The network's waypoints of one plan."""
    return sphere_list(points, WAYPOINT_DIAMETER, WAYPOINT_COLOUR, "waypoints", base, t)
