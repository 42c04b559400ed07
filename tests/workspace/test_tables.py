"""docs/nodes.md says of parameters, topics and services what the code says."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed (make build)")
for name in ("deqmpc_interfaces", "crazyflie_interfaces", "mocap4r2_msgs"):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"'{name}' is not built (make build)", allow_module_level=True)

from deqmpc_core.errors import ConfigError  # noqa: E402
from deqmpc_policy_node import tables, topics  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "nodes.md"


def test_the_page_has_the_parameters_of_the_code() -> None:
    assert tables.main([str(PAGE), "--check"]) == 0, "run python -m deqmpc_policy_node.tables docs/nodes.md"


def test_the_simulators_page_has_its_tables() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "simulator_page.py")]
    assert subprocess.run([*tool, "--check"]).returncode == 0, "run python tools/simulator_page.py"
    assert "|  |" not in (ROOT / "docs" / "simulator.md").read_text(), "a parameter without a meaning"


def test_every_parameter_has_a_meaning() -> None:
    for node in tables.MODULES:
        rows = tables.table(tables.configs(node)).splitlines()[2:]
        names = [row.split("`")[1] for row in rows]
        assert len(names) == len(set(names)) > 10
        assert all(row.rsplit("|", 2)[1].strip() for row in rows)
    with pytest.raises(ConfigError, match="no_such"):
        tables.configs("no_such")


def test_the_page_names_the_topics_of_the_policy() -> None:
    page = PAGE.read_text()
    wanted = (
        "PLAN", "PLAN_REQUEST", "ESTIMATE", "FLIGHT_STATE", "PATH", "OBSTACLES", "OBSTACLE_SET", "WAYPOINTS",
        "SET_OBSTACLES", "SOLVE_INFO", "LOAD_SERVICE", "DIAGNOSTICS",
    )  # fmt: skip
    for name in wanted:
        assert f"`{getattr(topics, name)}`" in page, name
