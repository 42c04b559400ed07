"""The simulated outside of DEQ-MPC. Names load lazily: the firmware stand-in never pays for torch or
gymnasium.
"""

from typing import Any

__version__ = "0.1.0"
_LAZY = {
    "make_env": "deqmpc_sim.envs",
    "SimulatedCrazyflie": "deqmpc_sim.firmware",
    "TrueState": "deqmpc_sim.firmware",
    "TruthConfig": "deqmpc_sim.firmware",
    "Fault": "deqmpc_sim.mocap",
    "MotionCapture": "deqmpc_sim.mocap",
    "Radio": "deqmpc_sim.radio",
    "RadioConfig": "deqmpc_sim.radio",
    "Strike": "deqmpc_sim.strikes",
    "EpisodeResult": "deqmpc_sim.referee",
    "Referee": "deqmpc_sim.referee",
    "World": "deqmpc_sim.world",
}
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'deqmpc_sim' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
