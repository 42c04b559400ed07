"""Wrong input: one sentence with the name and the remedy, a status that is not 0, nothing left behind."""

import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context

from deqmpc.session.run import Run
from deqmpc.session.settings import RunSettings, shipped_config, write_parameters
from deqmpc_core.errors import ConfigError
from tests.nodes.sim import ROOT, environment, processes_of

pytestmark = pytest.mark.ros


def _refused(arguments: list[str], runs: Path, **variables: str) -> str:
    line = [sys.executable, "-m", "deqmpc", "sim", "--runs-dir", str(runs), *arguments]
    done = subprocess.run(
        line, cwd=ROOT, env={**environment(), **variables}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert list(runs.iterdir()) == [] and processes_of(runs) == []
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "models/no-such-policy"], ("no-such-policy", "path")),
        (["--policy", "goal-mpc", "--task", "crazyfly"], ("crazyfly", "did you mean 'crazyflie'")),
        (["--policy", "goal-mpc", "--faults", "policy_kiled"], ("policy_kiled", "did you mean")),
        (["--policy", "goal-mpc", "--episodes", "0"], ("--episodes", "at least 1")),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], words: tuple[str, ...], tmp_path: Path) -> None:
    sentence = _refused(arguments, tmp_path)
    assert all(word in sentence for word in words), sentence


def test_an_unknown_verb_gets_a_hint() -> None:
    done = subprocess.run([sys.executable, "-m", "deqmpc", "smi"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "did you mean 'sim'" in done.stderr


def test_a_used_domain_is_refused(domain: int, tmp_path: Path) -> None:
    context = Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    node = rclpy.create_node("someone", context=context)
    try:
        sentence = _refused(["--policy", "goal-mpc"], tmp_path, ROS_DOMAIN_ID=str(domain))
    finally:
        node.destroy_node()
        context.try_shutdown()
    assert f"domain {domain} is in use" in sentence and "ROS_DOMAIN_ID" in sentence


def test_without_poses_nothing_flies(domain: int, tmp_path: Path) -> None:
    del domain
    settings = RunSettings("goal-mpc", "crazyflie", 0, 1, "max", 20, 0.1, record=False, faults=())
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({"crazyflie_server": {"ros__parameters": {"body": "table"}}}))
    files = [*shipped_config(), write_parameters(settings, tmp_path), other]
    with Run(settings, files, tmp_path, lambda track: None) as run:
        with pytest.raises(ConfigError, match="wanted 'cf1', in view: table"):
            run.fly(0)
    assert processes_of(tmp_path) == []


def test_a_missing_parameter_is_named(domain: int) -> None:
    del domain
    line = [sys.executable, "-m", "deqmpc_policy_node.nodes.policy"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "parameter 'policy' of node deqmpc_policy is missing" in done.stderr
