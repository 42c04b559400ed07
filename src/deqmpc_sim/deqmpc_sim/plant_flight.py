"""A plant's episode in this process, without ROS: what the nodes do in lock-step, tick by tick."""

from typing import Any, NamedTuple

import numpy as np
import torch

from deqmpc_core.flight.control_loop import ControlLoop, Source
from deqmpc_core.flight.control_pilot import ControlPilot
from deqmpc_core.flight.frames import Array
from deqmpc_core.tasks import Task
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.plant_world import PlantWorld
from deqmpc_sim.referee import EpisodeResult


class PlantFlight(NamedTuple):
    """The verdict; states (S+1, n) and controls (S, m) at the knots; where each tick's control came from;
    the largest error (n,) of an estimate at a knot."""

    result: EpisodeResult
    states: Array
    controls: Array
    sources: list[Source]
    error: Array


def fly_plant(
    task: Task, policy: Any, truth: TruthConfig | None = None, seed: int = 0, episode: int = 0,
    steps: int | None = None,
) -> PlantFlight:  # fmt: skip
    """Fly one episode: a tick and a control at every knot, time standing still while the policy plans."""
    world = PlantWorld(task, truth, seed, episode, steps)
    loop, sources, step = ControlLoop(ControlPilot(policy, task), task), [], 0
    error = np.zeros(task.n)
    with torch.inference_mode():
        while not world.over:
            for sample in world.take_samples():
                loop.see(sample)
            u = loop.tick(world.time)
            if u is not None:
                world.control(u)
                sources.append(loop.source)
                assert loop.estimate is not None
                off = torch.from_numpy(loop.estimate.x - world.x)
                error = np.maximum(error, task.system.wrapped(off).abs().numpy())
            step += 1
            world.advance(step * task.dt)
    referee = world.referee
    return PlantFlight(world.result(), np.array(referee.states), np.array(referee.controls), sources, error)
