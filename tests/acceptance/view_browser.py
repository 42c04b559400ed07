"""Headless Chromium before the live view: connect, find an obstacle on the screen, drag it."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WIDTH, HEIGHT, PANEL = 960, 600, 340
"""Pixels of the window, and of its right part that the panel may cover."""
FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def browser(url: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Iterator[Any]:
    """A page of Chromium that shows the address; skips, saying what is missing, where it cannot be had."""
    api = pytest.importorskip("playwright.sync_api", reason="'playwright' is not installed (pip install)")
    program = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} is installed (apt install chromium)")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        page = chromium.new_page(viewport={"width": size[0], "height": size[1]})
        page.goto(url)
        page.add_style_tag(content="[class*=Notifications] { display: none; }")  # "software rendering"
        yield page
        chromium.close()


def picture(page: Any, file: Path) -> None:
    """A screenshot; without a GPU a picture can take its time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file, timeout=180_000)


def until(page: Any, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition gives once it is true; the browser goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come"
        page.wait_for_timeout(100)
    return found


def on_screen(point: np.ndarray, position: np.ndarray, look_at: np.ndarray, fov: float) -> np.ndarray | None:
    """Pixel (2,) of a point, world [m], for a camera that looks level, z up; None behind it. fov [rad]: from
    top to bottom."""
    forward = (look_at - position) / np.linalg.norm(look_at - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    x, y, z = np.array([right, np.cross(forward, right), forward]) @ (point - position)
    if z <= 0.1:
        return None
    focal = 0.5 * HEIGHT / np.tan(0.5 * fov)
    return np.array([0.5 * WIDTH + focal * x / z, 0.5 * HEIGHT + focal * y / z])


def in_front(centers: np.ndarray, camera: tuple[np.ndarray, np.ndarray, float]) -> tuple[int, np.ndarray]:
    """The nearest obstacle that is well within the picture, so that none hides it, and its pixel."""
    position, look_at, fov = camera
    for index in np.argsort(np.linalg.norm(centers - position, axis=1)):
        pixel = on_screen(centers[index], position, look_at, fov)
        if pixel is not None and 80 < pixel[0] < WIDTH - PANEL and 100 < pixel[1] < HEIGHT - 100:
            return int(index), pixel
    raise AssertionError("no obstacle is in view")


def drag(page: Any, pixel: np.ndarray, by: tuple[float, float], done: Callable[[], Any]) -> None:
    """Press on a pixel, move, and let go, until it is done: a browser that draws a picture a second can miss
    a press."""
    mouse, (x, y) = page.mouse, (float(value) for value in pixel)
    for _ in range(4):
        mouse.move(x, y)
        page.wait_for_timeout(1000)
        mouse.down()
        for share in np.linspace(0.1, 1.0, 12):
            mouse.move(x + share * by[0], y + share * by[1])
            page.wait_for_timeout(100)
        mouse.up()
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline:
            if done():
                return
            page.wait_for_timeout(200)
    raise AssertionError("nothing was dragged")
