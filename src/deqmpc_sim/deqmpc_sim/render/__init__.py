"""Pictures and short films of episodes, drawn by matplotlib without a display."""

from deqmpc_sim.render.film import picture, render

__all__ = ["picture", "render"]
