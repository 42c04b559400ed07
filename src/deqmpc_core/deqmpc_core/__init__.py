"""DEQ-MPC: a neural network and an MPC solver joined in one fixed point (Gurumurthy et al., CoRL 2025).

Names load lazily so that light parts (flight, errors) never pay for torch.
"""

from typing import Any

__version__ = "0.1.0"
_LAZY = {
    "load_policy": "deqmpc_core.bundle",
    "Observation": "deqmpc_core.types",
    "Plan": "deqmpc_core.types",
    "Spheres": "deqmpc_core.types",
    "Status": "deqmpc_core.types",
    "load_task": "deqmpc_core.tasks",
    "TrackingSolver": "deqmpc_core.mpc",
}
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'deqmpc_core' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
