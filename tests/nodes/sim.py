"""Running `deqmpc sim` as a user does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STEPS = 20
NEEDED = ("rclpy", "deqmpc_interfaces", "crazyflie_interfaces", "mocap4r2_msgs")


def command(*arguments: str, runs: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "deqmpc",
        "sim",
        "--policy",
        "goal-mpc",
        "--runs-dir",
        str(runs),
        *arguments,
    ]


def environment() -> dict[str, str]:
    """Ours without a chosen domain, with type checks of message fields on."""
    kept = {name: value for name, value in os.environ.items() if name != "ROS_DOMAIN_ID"}
    return {**kept, "ROS_PYTHON_CHECK_FIELDS": "1", "OMP_NUM_THREADS": "1"}


def fly(*arguments: str, runs: Path, status: int = 0) -> dict[str, Any]:
    """`deqmpc sim` as a user runs it; the summary."""
    line = command(*arguments, "--json", str(runs / "out.json"), runs=runs)
    done = subprocess.run(line, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stdout + done.stderr
    return json.loads((runs / "out.json").read_text())


def processes_of(runs: Path) -> list[str]:
    """Command lines that mention the directory: nodes a run has left behind."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(runs) in line and "deqmpc" in line:
            found.append(line)
    return found
