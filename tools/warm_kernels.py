"""Compile every kernel that `deqmpc sim` needs, so that the first flight does not wait for a compiler.

The nodes do the same when they start, but all at once and with somebody waiting. It takes about a
minute the first time and seconds when the caches are there.
"""

from deqmpc_core import load_policy
from deqmpc_core.tasks import load_task
from deqmpc_policy_node.loading import warm_up as warm_up_policy
from deqmpc_sim.world import warm_up as warm_up_world

TASK = "crazyflie"


def main() -> None:
    """Simulate a moment and plan twice, without a graph."""
    task = load_task(TASK)
    warm_up_world(task)
    warm_up_policy(load_policy("goal-mpc", task=TASK), task)


if __name__ == "__main__":
    main()
