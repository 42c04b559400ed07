"""The child process that checks a policy while another flies: `python -m deqmpc_policy_node.prepare NAME
TASK`.

It compiles kernels into the cache on disk, recomputes golden outputs and plans from a start; the answer is
one line of JSON on the standard output, or one sentence on the standard error and status 2.
"""

import json
import os
import sys

NICENESS = 19


def step_back() -> None:
    """Run only while nothing else wants to; where the system has no such class, as the last of all."""
    os.nice(NICENESS)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main(arguments: list[str]) -> int:
    """Check the policy `arguments[0]` for the task `arguments[1]` behind everything else the machine does."""
    step_back()
    # Only now, for importing them takes seconds of a core.
    import torch

    from deqmpc_core.errors import DeqmpcError
    from deqmpc_core.tasks import load_task
    from deqmpc_policy_node.loading import digest, directory_of, sound_policy

    torch.set_num_threads(1)
    name, task = arguments
    try:
        sound_policy(name, load_task(task))
        found = {"sha256": digest(directory_of(name, task))}
    except DeqmpcError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
