"""One picture of a state, and a film of an episode as GIF or MP4."""

import os
from pathlib import Path

import numpy as np
import torch
from matplotlib.animation import AbstractMovieWriter, FFMpegWriter, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.tasks import Task
from deqmpc_sim.envs.rollout import Rollout
from deqmpc_sim.render.flight import FlightScene
from deqmpc_sim.render.planar import CartpoleScene, PendulumScene
from deqmpc_sim.render.scene import Scene

_DPI = 80
_FORMATS = (".gif", ".mp4")


def picture(
    task: Task, x: Tensor, centers: Tensor | None = None, width: int = 480, height: int = 360
) -> NDArray[np.uint8]:
    """RGB (height, width, 3) of a state x (n,) amid centers (k, 3), by default the task's own spheres.

    Raises ShapeError, ConfigError for a task that nobody has drawn yet.
    """
    if x.shape != (task.n,):
        raise ShapeError(f"x: expected shape ({task.n},), got {tuple(x.shape)}")
    canvas = _canvas(width, height)
    states = x.detach().to(torch.float64).numpy()[None]
    _scene(task, canvas.figure, states, _layouts(task, centers)).show(0)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def render(
    task: Task, rollout: Rollout, file: str | Path, sample: int = 0, frames: int = 60, width: int = 480,
    height: int = 360,
) -> Path:  # fmt: skip
    """Film episode `sample` of a rollout into `file` (.gif, or .mp4 where ffmpeg is installed), to its end
    and in its own time, in at most `frames` pictures. The file appears whole or not at all.

    Raises ConfigError for another ending, without ffmpeg, or for a task that nobody has drawn yet.
    """
    file = Path(file)
    steps = rollout.states.shape[1] - 1 if rollout.lengths is None else int(rollout.lengths[sample])
    states = rollout.states[sample, : steps + 1].detach().to(torch.float64).numpy()
    centers = None if rollout.centers is None else rollout.centers[sample, : steps + 1]
    knots = np.unique(np.linspace(0, steps, min(frames, steps + 1)).round().astype(int))
    rate = max(0.1, (len(knots) - 1) / (steps * task.dt)) if steps else 1.0
    writer, canvas = _writer(file, rate), _canvas(width, height)
    scene = _scene(task, canvas.figure, states, _layouts(task, centers))
    temporary = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        with writer.saving(canvas.figure, str(temporary), _DPI):
            for knot in knots:
                scene.show(int(knot))
                writer.grab_frame()
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return file


def _canvas(width: int, height: int) -> FigureCanvasAgg:
    return FigureCanvasAgg(Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI))


def _layouts(task: Task, centers: Tensor | None) -> NDArray[np.float64]:
    """Centres (1 | S+1, k, 3) by knot."""
    if centers is None:
        centers = torch.zeros(0, 3) if task.spheres is None else task.spheres.center
    found = centers.detach().to(torch.float64).numpy()
    return found if found.ndim == 3 else found[None]


def _scene(task: Task, figure: Figure, states: NDArray[np.float64], centers: NDArray[np.float64]) -> Scene:
    if task.system.position is not None and task.system.mrp is not None:
        return FlightScene(task, figure, states, centers)
    if task.system.name == "pendulum":
        return PendulumScene(task, figure, states)
    if task.system.name == "cartpole":
        return CartpoleScene(task, figure, states)
    raise ConfigError(
        f"render: nobody has drawn a '{task.system.name}' yet; add a Scene to deqmpc_sim.render"
    )


def _writer(file: Path, rate: float) -> AbstractMovieWriter:
    """The writer for the file's ending, at `rate` pictures a second."""
    if file.suffix not in _FORMATS:
        raise ConfigError(f"render: expected a file ending in {' or '.join(_FORMATS)}, got '{file.name}'")
    if file.suffix == ".gif":
        return PillowWriter(fps=rate)  # type: ignore[arg-type]
    if not FFMpegWriter.isAvailable():
        raise ConfigError("render: .mp4 needs ffmpeg, which is not installed; write a .gif instead")
    return FFMpegWriter(fps=rate)  # type: ignore[arg-type]
