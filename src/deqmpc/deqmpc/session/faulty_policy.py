"""`python -m deqmpc.session.faulty_policy`: the policy node with a policy that misbehaves from SIGUSR1 on.

The node itself has no code for faults: what is wrapped is what load_policy returns, before the node imports
it. $DEQMPC_SPOIL names the fault, $DEQMPC_SPOIL_PERIOD the policy period [s].
"""

import os
import re
import signal
import time
from types import FrameType
from typing import Any

import torch

import deqmpc_core.bundle
from deqmpc_core.errors import ConfigError
from deqmpc_core.types import Plan, Status

SPOIL, PERIOD = "DEQMPC_SPOIL", "DEQMPC_SPOIL_PERIOD"
SIGNAL = signal.SIGUSR1
TOO_LARGE = 1.0
"""Constraint violation of a solve that did not converge."""
_OVERRUN = re.compile(r"tick_overrun_(\d+)x")


class FaultyPolicy:
    """Another policy's answers, spoiled once told to: NaN plans, plans with a violation, or one late tick."""

    def __init__(self, policy: Any, spoil: str, period: float) -> None:
        """spoil: solver_nan, solver_not_converged or tick_overrun_<k>x; period [s]."""
        overrun = _OVERRUN.fullmatch(spoil)
        if overrun is None and spoil not in ("solver_nan", "solver_not_converged"):
            raise ConfigError(f"no way to spoil a policy is called '{spoil}'")
        self._policy, self._spoil = policy, spoil
        self._late = int(overrun[1]) * period if overrun else 0.0
        self.struck = False
        """From now on, or for a late tick: with the next one."""

    def __getattr__(self, name: str) -> Any:
        """Everything else is the policy's own."""
        return getattr(self._policy, name)

    def __call__(self, *arguments: Any, **options: Any) -> tuple[Plan, Any]:
        """The policy's answer, spoiled."""
        plan, state = self._policy(*arguments, **options)
        if not self.struck:
            return plan, state
        if self._late:
            self.struck = False
            time.sleep(self._late)
            return plan, state
        return spoiled(plan, self._spoil), state

    def strike(self, number: int, frame: FrameType | None) -> None:
        """The signal's handler."""
        del number, frame
        self.struck = True


def spoiled(plan: Plan, spoil: str) -> Plan:
    """The plan full of NaN, or told to have stopped short of its tolerance."""
    if spoil == "solver_nan":
        nan = float("nan")
        x, u = torch.full_like(plan.x, nan), torch.full_like(plan.u, nan)
        return plan._replace(x=x, u=u, status=torch.full_like(plan.status, Status.NOT_FINITE.code))
    status = torch.full_like(plan.status, Status.MAX_ITERATIONS.code)
    info = plan.info
    if hasattr(info, "_replace") and hasattr(info, "violation"):
        info = info._replace(violation=torch.full_like(info.violation, TOO_LARGE))
    return plan._replace(status=status, info=info)


def install(spoil: str, period: float) -> None:
    """From now on load_policy hands out faulty policies that listen to SIGUSR1."""
    load = deqmpc_core.bundle.load_policy

    def load_faulty(*arguments: Any, **options: Any) -> Any:
        policy = FaultyPolicy(load(*arguments, **options), spoil, period)
        signal.signal(SIGNAL, policy.strike)
        return policy

    deqmpc_core.bundle.load_policy = load_faulty


def main() -> None:
    """Entry point: the policy node's own, after the exchange."""
    install(os.environ[SPOIL], float(os.environ[PERIOD]))
    from deqmpc_policy_node.nodes import policy

    policy.main()


if __name__ == "__main__":
    main()
