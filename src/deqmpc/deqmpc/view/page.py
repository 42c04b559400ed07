"""The page itself: viser's server, which draws a Picture and hears what the reader wants.

The server listens on this machine only: whoever can open the page can fly the robot. What the reader does is
kept as wishes, which the thread that flies takes when it has time.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deqmpc.view import shapes
from deqmpc.view.browser import HOST
from deqmpc.view.picture import Array, Obstacles, Picture
from deqmpc_core.errors import ConfigError

CAMERA = np.array([1.6, -2.2, 1.3])
"""m from the goal, from where the reader looks first."""
FOV = 0.9
"""rad from top to bottom of the picture."""
ARM, ROTOR = 0.09, 0.05
"""m; the drone is drawn about twice its size."""


@dataclass(frozen=True)
class Move:
    """An obstacle is to be at `place`, world [m]; done: the reader let go of it."""

    index: int
    place: tuple[float, float, float]
    done: bool


@dataclass(frozen=True)
class Fly:
    """Another policy is to fly."""

    policy: str


def viser() -> Any:
    """The package. Raises ConfigError where it is not installed."""
    try:
        import viser
    except ImportError as why:
        raise ConfigError(
            f"the view needs the package viser ({why}); pip install --no-deps -r requirements-view.txt"
        ) from why
    return viser


class Page:
    """One page for any number of readers; `show` and `wishes` are for one thread."""

    def __init__(self, port: int, goal: Array, policies: Sequence[str], policy: str, period: float) -> None:
        """goal (3,), world [m]. policies: names to choose from; policy: the one that flies. period [s]
        between plans."""
        self._server = viser().ViserServer(host=HOST, port=port, label="DEQ-MPC", verbose=False)
        self._limit, self._wishes = 1e3 * period, deque[Move | Fly]()
        self._spheres: list[Any] = []
        self._obstacles: Obstacles | None = None
        self._held, self._grip = -1, np.zeros(3)
        self._stage(goal)
        self._panel(policies, policy)

    @property
    def url(self) -> str:
        """Where the page is; another port than asked for where that one was taken."""
        return f"http://{HOST}:{self._server.get_port()}"

    @property
    def readers(self) -> int:
        """Browsers that show the page."""
        return len(self._server.get_clients())

    def close(self) -> None:
        """End the server."""
        self._server.stop()

    def wishes(self) -> list[Move | Fly]:
        """What the reader has asked for since the last call; of an obstacle's moves only the last."""
        moves: dict[int, Move] = {}
        rest: list[Move | Fly] = []
        while self._wishes:
            wish = self._wishes.popleft()
            if isinstance(wish, Move):
                moves[wish.index] = wish
            else:
                rest.append(wish)
        return [*rest, *moves.values()]

    def show(self, picture: Picture) -> None:
        """Draw what has changed."""
        changed = picture.take_changes()
        if not changed:
            return
        with self._server.atomic():
            if "drone" in changed:
                self._drone.position, self._drone.wxyz = picture.position, shapes.wxyz(picture.quaternion)
            if "trail" in changed:
                self._line("/trail", np.array(picture.trail).reshape(-1, 3), shapes.TRAIL, 2.0)
            if "plan" in changed:
                self._line("/plan", picture.plan, shapes.PLAN, 4.0)
                self._points(picture.waypoints)
            if "rounds" in changed:
                self._draw_rounds(picture)
            if "obstacles" in changed:
                self._draw_obstacles(picture.obstacles)
            if changed & {"ticks", "words"}:
                self._words.content = picture.words()
                self._draw_ticks(picture)

    def _stage(self, goal: Array) -> None:
        scene, server = self._server.scene, self._server
        scene.set_up_direction("+z")
        scene.world_axes.visible = False
        scene.configure_default_lights(cast_shadow=False)  # half the work of a machine without a GPU
        scene.configure_environment_map(None)
        scene.add_light_ambient("/light", intensity=1.2)
        server.initial_camera.position = tuple(goal + CAMERA)
        server.initial_camera.look_at = tuple(goal)
        server.initial_camera.fov = FOV
        scene.add_grid("/floor", width=6.0, height=6.0, cell_size=0.5, shadow_opacity=0.0)
        scene.add_icosphere("/goal", radius=0.04, color=shapes.GOAL, position=goal)
        self._drone = scene.add_frame("/drone", axes_length=0.12, axes_radius=0.004)
        for name, turn in (("a", 0.38268343), ("b", -0.38268343)):  # sin of 22.5 degrees: arms at 45
            size, pose = (2.0 * ARM, 0.014, 0.01), (float(np.sqrt(1.0 - turn * turn)), 0.0, 0.0, turn)
            scene.add_box(f"/drone/arm_{name}", color=shapes.DRONE, dimensions=size, wxyz=pose)
        for k, (x, y) in enumerate(((1, 1), (1, -1), (-1, -1), (-1, 1))):
            place = (x * ARM * 0.7, y * ARM * 0.7, 0.012)
            front = shapes.WAYPOINT if x > 0 else shapes.DRONE
            scene.add_cylinder(
                f"/drone/rotor_{k}", radius=ROTOR, height=0.004, color=front, opacity=0.6, position=place
            )

    def _panel(self, policies: Sequence[str], policy: str) -> None:
        gui = self._server.gui
        gui.configure_theme(control_width="medium", show_logo=False, show_share_button=False)
        chosen = policy if policy in policies else next(iter(policies), policy)
        self._policies = gui.add_dropdown("policy", list(policies) or [policy], initial_value=chosen)
        self._shown = gui.add_checkbox("every round", True, hint="the plan of each DEQ-MPC round")
        self._words = gui.add_markdown("waiting for the first message")
        lines = (("tick", ""), ("ms", "#0072B2"), ("period", "#D55E00"))
        self._ticks = gui.add_uplot(
            (np.arange(2.0), np.ones(2), np.full(2, self._limit)),
            series=tuple({"label": label, "stroke": colour} for label, colour in lines),
            scales={"x": {"time": False}, "y": {"distr": 3}},
            height=160,
        )
        gui.add_markdown("Drag an orange obstacle: the policy plans around it from its next tick on.")

        @self._policies.on_update
        async def _(event: Any) -> None:
            if event.client is not None:
                self._wishes.append(Fly(str(self._policies.value)))

    def _line(self, name: str, points: Array, colour: shapes.Colour, width: float) -> None:
        self._segments(name, shapes.segments(points), np.array(colour, dtype=np.uint8), width)

    def _segments(self, name: str, parts: Array, colours: Any, width: float) -> None:
        scene = self._server.scene
        if len(parts) == 0:
            scene.remove_by_name(name)
            return
        scene.add_line_segments(
            name, parts.astype(np.float32), colours, thickness=width, thickness_units="screen"
        )

    def _points(self, points: Array) -> None:
        self._server.scene.add_point_cloud(
            "/waypoints", points.astype(np.float32), shapes.WAYPOINT, point_size=0.018, point_shape="circle"
        )

    def _draw_rounds(self, picture: Picture) -> None:
        shown = picture.rounds[:-1] if self._shown.value else []  # the last is the plan itself
        parts, colours = shapes.round_segments(shown)
        self._segments("/rounds", parts, colours, 2.0)

    def _draw_ticks(self, picture: Picture) -> None:
        ticks = np.array(picture.tick_ms, dtype=float)
        if len(ticks) >= 2:
            limit = np.full(len(ticks), self._limit)
            self._ticks.data = (np.arange(float(len(ticks))), np.maximum(ticks, 0.1), limit)

    def _draw_obstacles(self, obstacles: Obstacles) -> None:
        """New spheres where their number or radii changed; else the old ones move, but for the one held."""
        before, self._obstacles = self._obstacles, obstacles
        if before is None or not np.array_equal(before.radii, obstacles.radii):
            for sphere in self._spheres:
                sphere.remove()
            pairs = enumerate(zip(obstacles.centers, obstacles.radii, strict=True))
            self._spheres = [self._sphere(k, center, radius) for k, (center, radius) in pairs]
            return
        for index, (sphere, center) in enumerate(zip(self._spheres, obstacles.centers, strict=True)):
            if index != self._held and not np.allclose(sphere.position, center):
                sphere.position = center

    def _sphere(self, index: int, center: Array, radius: float) -> Any:
        sphere = self._server.scene.add_icosphere(
            f"/obstacles/{index}", radius=float(radius), color=shapes.OBSTACLE, subdivisions=2, opacity=0.7,
            position=center,
        )  # fmt: skip

        @sphere.on_drag
        async def _(event: Any) -> None:
            self._dragged(index, sphere, event)

        return sphere

    def _dragged(self, index: int, sphere: Any, event: Any) -> None:
        """The grip is where the pointer took hold, seen from the centre."""
        pointer = np.array(event.end_position, dtype=float)
        if event.phase == "start":
            self._held = index
            self._grip = np.array(event.start_position, dtype=float) - np.array(sphere.position)
        place = pointer - self._grip
        sphere.position = place
        done = event.phase == "end"
        if done:
            self._held = -1
        x, y, z = (float(value) for value in place)
        self._wishes.append(Move(index, (x, y, z), done))
