"""Names on the graph. Those of the robot are Crazyswarm2's (`/<robot>/...`), those of ours live under
`/deqmpc`."""

RIGID_BODIES = "/rigid_bodies"
POSES = "/poses"

PLAN = "/deqmpc/plan"
PLAN_REQUEST = "/deqmpc/plan_request"
ESTIMATE = "/deqmpc/estimate"
FLIGHT_STATE = "/deqmpc/flight_state"
PATH = "/deqmpc/path"
OBSTACLES = "/deqmpc/obstacles"
OBSTACLE_SET = "/deqmpc/obstacle_set"
WAYPOINTS = "/deqmpc/waypoints"
STEP = "/deqmpc/step"
STEP_DONE = "/deqmpc/step_done"
EPISODE_RESULT = "/deqmpc/episode_result"
TRUTH = "/deqmpc/truth"
DEADMAN = "/deqmpc/deadman"
EMERGENCY = "/deqmpc/emergency"
DIAGNOSTICS = "/diagnostics"

POLICY_NODE = "deqmpc_policy"
COMMANDER_NODE = "deqmpc_commander"
RECORDER_NODE = "deqmpc_recorder"
MOCAP_BRIDGE_NODE = "deqmpc_mocap_bridge"
SET_OBSTACLES = f"/{POLICY_NODE}/obstacles"
SOLVE_INFO = f"/{POLICY_NODE}/solve_info"
LOAD_SERVICE = f"/{POLICY_NODE}/load_policy"
START_SERVICE = f"/{COMMANDER_NODE}/start"
STOP_SERVICE = f"/{COMMANDER_NODE}/stop"
RESET_SERVICE = f"/{COMMANDER_NODE}/reset"
EMERGENCY_SERVICE = f"/{COMMANDER_NODE}/emergency"
PREFLIGHT_SERVICE = f"/{COMMANDER_NODE}/preflight"


def robot_name(robot: str, name: str) -> str:
    """Topic or service `name` of one Crazyflie, e.g. robot_name("cf1", "takeoff") -> "/cf1/takeoff"."""
    return f"/{robot}/{name}"
