"""The card of a bundle: what the policy maps, what it was trained on, what it does, how to make it again."""

import json
from pathlib import Path
from typing import Any

from deqmpc_core.bundle import load_policy
from deqmpc_core.files import read_json, write_text
from deqmpc_core.policies import Policy
from deqmpc_train.config import TrainConfig, same_but
from deqmpc_train.eval.report import table
from deqmpc_train.results_table import HEAD, figures
from deqmpc_train.tuned import tuned

_TEMPLATE = """# {name}

A {variant} policy for task {task}, trained by imitation with the loss of Eq. 13
(Gurumurthy et al., CoRL 2025){more}.

| | |
|---|---|
| input | state x (B, {n}), float64, task frame, SI units |
| output | plan x (B, {knots}, {n}), u (B, {horizon}, {m}), waypoints theta (B, {horizon}, {n}) |
| network | {network}, hidden {hidden}, {parameters} parameters |
| solver | augmented Lagrangian, T = {horizon}, N = {rounds} cold rounds of m = {m_al}, mu <= {mu_max:g} |
| data | {data} |
| trained | {spent} |
| held-out L1 error per knot | {error:.4f} (mean of cold and streamed ticks) |

Run it: `deqmpc sim --policy {name} --task {task}`. Check it: `deqmpc policies verify {name}`.

Train it again, with data of `deqmpc data generate --task {task}`:

```
{again}
```
"""


def model_card(name: str, policy: Policy, told: dict[str, Any]) -> str:
    """Markdown for the bundle's README.md, from what its eval.json tells of training and evaluation."""
    training = told["training"]
    config, task, shape = TrainConfig.from_json(training["config"]), policy.task, policy.config
    assert policy.network is not None
    text = _TEMPLATE.format(
        name=name, variant=shape.variant, task=task.name, n=task.n, m=task.m, more=_terms(config),
        knots=shape.horizon + 1, horizon=shape.horizon, hidden=shape.hidden, rounds=shape.rounds,
        m_al=shape.al_iterations, mu_max=shape.mu_max, data=_data(training), spent=_spent(config, training),
        network="deep equilibrium" if shape.variant.rpartition("-")[2] == "deq" else "temporal convolutions",
        parameters=sum(p.numel() for p in policy.network.parameters()),
        error=training["validation_error"], again=_again(name, config),
    )  # fmt: skip
    rows = [[row["task"], _how(row), *figures(row)] for row in told.get("evaluation", [])]
    if rows:
        episodes = told["evaluation"][0]["episodes"]
        head = [HEAD[0], "ticks", *HEAD[2:]]
        text += "\n".join(["", f"Flown from {episodes} starts (`deqmpc eval`):", "", *table(head, rows), ""])
    return text


def renew_card(place: Path) -> None:
    """Write a bundle's card anew, after another evaluation of it."""
    told = read_json(place / "eval.json")
    if "training" in told:
        write_text(place / "README.md", model_card(place.name, load_policy(str(place)), told))


def _terms(config: TrainConfig) -> str:
    """What the loss has beside Eq. 13."""
    terms = {
        "the same loss on the waypoints": config.theta_weight,
        "the plan's change from round to round": config.joint_weight,
    }
    found = [f"{weight:g} times {what}" for what, weight in terms.items() if weight]
    return f", plus {' and '.join(found)}" if found else ""


def _data(training: dict[str, Any]) -> str:
    data = training["data"]
    flown = f"{data['episodes']} episodes of {data.get('expert', 'recordings')}"
    return f"{flown}, {training['windows']} windows; a tenth of the episodes held out"


def _spent(config: TrainConfig, training: dict[str, Any]) -> str:
    spent = f"{training['steps']} steps of {config.batch} windows, {training['seconds']:.0f} s"
    choice = training.get("learning_rates")
    if choice is None:
        return spent
    return f"{spent}, after {len(choice['errors'])} runs of {choice['steps']} steps for the learning rate"


def _again(name: str, config: TrainConfig) -> str:
    """The line, with every option that is not as tuned for a laptop."""
    policy, words = config.policy, list[str]()
    usual = tuned(policy.task, policy.variant, "laptop", task_options=policy.task_options)
    options = config.to_json() | config.policy.to_json()
    for option in [o.removeprefix("policy.") for o in same_but(config, usual)]:
        value = options[option]
        values = value if isinstance(value, list | tuple) else [value]
        words += [f"--{option.replace('_', '-')}", *map(str, values)]
    if policy.task_options:
        words += ["--option", *(f"{k}={json.dumps(v)}" for k, v in policy.task_options.items())]
    line = f"deqmpc train --task {policy.task} --variant {policy.variant} --data data/{policy.task}"
    return " ".join([line, *words, "--out", f"models/{name}"])


def _how(row: dict[str, Any]) -> str:
    if row["cold"]:
        return "cold"
    return "warm, one round" if row["iterations"] == 1 else f"warm, {row['iterations']} rounds"
