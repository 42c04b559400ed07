"""The card of a bundle: what the policy maps, what it was trained on, how to run it and make it again."""

from typing import Any

from deqmpc_core.policies import Policy
from deqmpc_train.config import TrainConfig

_TEMPLATE = """# {name}

A {variant} policy for task {task}, trained by imitation with the loss of Eq. 13
(Gurumurthy et al., CoRL 2025).

| | |
|---|---|
| input | state x (B, {n}), float64, task frame, SI units |
| output | plan x (B, {knots}, {n}), u (B, {horizon}, {m}), waypoints theta (B, {horizon}, {n}) |
| network | {network}, hidden {hidden}, {parameters} parameters |
| solver | augmented Lagrangian, T = {horizon}, N = {rounds} cold rounds of m = {m_al}, mu <= {mu_max:g} |
| trained | {steps} steps of {batch} windows, {seconds:.0f} s |
| held-out L1 error per knot | {error:.4f} (mean of cold and streamed ticks) |

Run it: `deqmpc sim --policy {name}`. Check it: `deqmpc policies verify {name}`.

Train it again: `deqmpc train --task {task} --variant {variant} --data DIR --out models/{name}`
with the options in eval.json.
"""


def model_card(policy: Policy, config: TrainConfig, results: dict[str, Any]) -> str:
    """Markdown for the bundle's README.md."""
    task, shape = policy.task, config.policy
    assert policy.network is not None
    return _TEMPLATE.format(
        name=f"{task.name}-{shape.variant}", variant=shape.variant, task=task.name, n=task.n, m=task.m,
        knots=shape.horizon + 1, horizon=shape.horizon, hidden=shape.hidden, rounds=shape.rounds,
        m_al=shape.al_iterations, mu_max=shape.mu_max, steps=results["steps"], batch=config.batch,
        network="deep equilibrium" if shape.variant.rpartition("-")[2] == "deq" else "temporal convolutions",
        parameters=sum(p.numel() for p in policy.network.parameters()),
        seconds=results["seconds"], error=results["validation_error"],
    )  # fmt: skip
