"""Acceptance of issue 8, doctor, live view and report: `make accept N=8`.

The view is looked at in headless Chromium, once over the real nodes and once in one process; its pictures
and the report's are left in docs/images/.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept import DEQMPC, ROOT, deqmpc
from view_browser import browser, drag, in_front, picture, until

from deqmpc.view.browser import free_port
from deqmpc.view.page import CAMERA, FOV
from deqmpc_core.tasks import load_task

pytestmark = pytest.mark.accept
IMAGES = ROOT / "docs" / "images"
TASK = load_task("crazyflie")
GOAL = TASK.origin.numpy() + TASK.goal[:3].numpy()


def obstacles() -> np.ndarray:
    assert TASK.spheres is not None
    return TASK.spheres.center.numpy() + TASK.origin.numpy()


@pytest.fixture
def flying(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """`deqmpc sim --view` over the real nodes, in lock-step, so that a browser without a GPU may take the
    machine's time: where its page is, and where its runs are."""
    pytest.importorskip("rclpy", reason="'rclpy' is not installed (make build)")
    pytest.importorskip("viser", reason="'viser' is not installed (requirements-view.txt)")
    words = ["sim", "--view", "--port", str(free_port(8090)), "--episodes", "40", "--seed", "5",
             "--policy", "crazyflie-deqmpc-deq", "--no-baselines", "--speed", "max", "--no-record",
             "--runs-dir", str(tmp_path)]  # fmt: skip
    with (tmp_path / "told").open("w") as told:
        process = subprocess.Popen([*DEQMPC, *words], cwd=ROOT, stdout=told, stderr=told)
    try:
        url = _address(tmp_path / "told", process)
        yield url, tmp_path
    finally:
        process.terminate()
        process.wait(60)


def _address(file: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline:
        found = re.search(r"view at (http\S+)", file.read_text())
        if found and _answers(found[1]):
            return found[1]
        assert process.poll() is None, file.read_text()
        time.sleep(0.2)
    raise AssertionError(f"no page: {file.read_text()}")


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def test_the_live_view_over_the_real_nodes(flying: tuple[str, Path]) -> None:
    """One obstacle dragged, another policy chosen: both arrive in the nodes."""
    url, runs = flying
    (run,) = (path for path in runs.iterdir() if path.is_dir())

    def logged(name: str, words: str) -> bool:
        return words in (run / "log" / f"{name}.log").read_text()

    with browser(url) as page:
        until(page, lambda: page.get_by_text("POLICY").count(), 180.0)
        index, pixel = in_front(obstacles(), (GOAL + CAMERA, GOAL, FOV))
        drag(page, pixel, (60.0, -60.0), lambda: logged("view", f"obstacle {index} moved"))
        page.locator("input[role=combobox]:visible").first.click()
        page.get_by_role("option", name="crazyflie-deqmpc-nn").click()
        until(page, lambda: logged("policy", "'crazyflie-deqmpc-nn' flies in the place of"), 180.0)
        picture(page, runs / "view.png")


def test_the_live_view_in_one_process() -> None:
    """Without ROS: the dragged obstacle is where the policy plans around it from then on."""
    pytest.importorskip("viser", reason="'viser' is not installed (requirements-view.txt)")
    from deqmpc.session.options import Sim
    from deqmpc.view.alone import Alone

    alone = Alone(Sim(policy="crazyflie-deqmpc-deq", port=free_port(8190), seed=3))
    before, watch = alone.picture.obstacles.centers.copy(), alone._watch
    goes_on, over = threading.Event(), threading.Event()

    def fly() -> None:
        with contextlib.suppress(InterruptedError):
            for episode in range(9):
                alone.fly(episode)

    def watched(cockpit: Any) -> None:
        """Stands still on the way, where there is something to see, until the picture is taken."""
        watch(cockpit)
        if over.is_set():
            raise InterruptedError
        if len(alone.picture.tick_ms) == 8 and not goes_on.is_set():
            began = time.monotonic()
            alone.page.show(alone.picture)
            goes_on.wait(240.0)
            alone._began += time.monotonic() - began

    alone._watch, flight = watched, threading.Thread(target=fly)
    with browser(alone.page.url) as page:
        until(page, lambda: alone.page.readers)
        flight.start()
        until(page, lambda: len(alone.picture.tick_ms) == 8)
        page.wait_for_timeout(5000)
        picture(page, IMAGES / "view.png")
        goes_on.set()
        index, pixel = in_front(before, (GOAL + CAMERA, GOAL, FOV))
        drag(page, pixel, (-60.0, 60.0), lambda: f"obstacle {index} moved" in alone.picture.told)
    over.set()
    flight.join(60.0)
    moved = alone.picture.obstacles.centers - before
    assert np.linalg.norm(moved[index]) > 0.1 and not np.delete(moved, index, axis=0).any()
    alone.page.close()


def test_the_report_of_a_flight(tmp_path: Path) -> None:
    deqmpc("sim", "--policy", "crazyflie-deqmpc-deq", "--episodes", "2", "--seed", "3", "--speed", "max",
           "--runs-dir", str(tmp_path))  # fmt: skip
    (run,) = tmp_path.iterdir()
    deqmpc("report", str(run))
    file = run / "report.html"
    text = file.read_text()
    assert "https:" not in re.sub(r'xmlns\S*="[^"]*"', "", text.partition("Policy card")[0])
    with browser(file.as_uri(), (900, 1200)) as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.reload()
        assert page.get_by_text("Episode").count() and page.locator("svg").count() == 3
        picture(page, IMAGES / "report.png")
        assert [url for url in requests if not url.startswith("file:")] == [], "nothing is fetched"


def test_the_report_of_a_training(tmp_path: Path) -> None:
    words = ("--task", "crazyflie", "--episodes", "20", "--steps", "20", "--spread-episodes", "0")
    deqmpc("data", "generate", *words, "--jobs", "1", "--out", str(tmp_path / "data"))
    places = ("--out", str(tmp_path / "policy"), "--run-dir", str(tmp_path / "run"))
    deqmpc("train", "--variant", "deqmpc-nn", "--data", str(tmp_path / "data"), "--budget", "smoke",
           "--steps", "30", *places)  # fmt: skip
    deqmpc("report", str(tmp_path / "run"))
    text = (tmp_path / "run" / "report.html").read_text()
    assert "Training of crazyflie-deqmpc-nn" in text and "residual" in text and text.count("<svg") >= 5


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    words = ["data", "generate", "--policy", "goal-mpc", "--jobs", "1", "--out", str(tmp_path / "d")]
    process = subprocess.Popen([*DEQMPC, *words], stderr=subprocess.PIPE, text=True, start_new_session=True,
                               preexec_fn=_hears_ctrl_c)  # fmt: skip
    while not list(tmp_path.glob("d.parts/*.parquet")):
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in told and "goes on where" in told
    assert list(tmp_path.glob("d.parts/*.parquet")) and not (tmp_path / "d").exists()


def _hears_ctrl_c() -> None:
    """What a shell starts in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_doctor_finds_nothing_wrong_here_and_ten_planted_faults(tmp_path: Path) -> None:
    """The command on a sound tree; what is planted is in the tests it calls."""
    file = tmp_path / "out.json"
    environment: dict[str, Any] = {k: v for k, v in os.environ.items() if not k.startswith("ROS_D")}
    done = subprocess.run([*DEQMPC, "doctor", "--json", str(file)], cwd=ROOT, env=environment, text=True,
                          capture_output=True, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert json.loads(file.read_text())["counts"]["error"] == 0
    planted = ["tests/doctor", "tests/nodes/test_doctor.py"]
    deqmpc_tests = [DEQMPC[0], "-m", "pytest", "-q", *planted]
    subprocess.run(deqmpc_tests, cwd=ROOT, check=True)
