"""deqmpc eval: policies side by side on the same starts of the batch environment."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Column, Table

from deqmpc_core.bundle import find_bundle, load_policy
from deqmpc_core.errors import ConfigError
from deqmpc_core.files import read_json, write_json, write_text
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import load_task
from deqmpc_train.card import renew_card
from deqmpc_train.data.options import option_values
from deqmpc_train.eval import Evaluation, Plan, PolicyResult, evaluate
from deqmpc_train.tuned import rounds_per_tick
from deqmpc_train.verbs.ending import status_of


@dataclass(frozen=True)
class EvalArguments:
    """Fly policies, given by path, name or variant, from the same starts, and compare them with each other
    and with the expert: returns, failures, violations, held-out error, milliseconds, with 95 % intervals.

    option: NAME=VALUE, an option of the task. episodes, seed: the starts. iterations: rounds of a warm
    tick, a row for each (default: the task's, 2 for qpole_obs, else 1). cold: one more row, every tick
    from nothing. data: a data set, for the held-out error; split: whose tenth (default: the one the
    policy was trained without). residuals: instead of flying, residuals by round of a cold tick at held-
    out states (needs data), where an equilibrium network searches with tolerance and evaluations if they
    are given, else with the policy's own. mu_max: instead of flying, held-out errors by AL iteration of a
    cold tick with penalties that end at these values (needs data; Figure 10). json, markdown: files for
    the figures. plots: a folder for pictures. keep: write each policy's figures into its bundle's eval.json.
    threads: CPU threads.
    """

    policies: Annotated[tuple[str, ...], tyro.conf.Positional]
    task: str = "crazyflie"
    option: tuple[str, ...] = ()
    episodes: int = 200
    seed: int = 0
    iterations: tuple[int, ...] = ()
    cold: bool = False
    data: Path | None = None
    split: int | None = None
    residuals: bool = False
    tolerance: float | None = None
    evaluations: int | None = None
    mu_max: tuple[float, ...] = ()
    json: Path | None = None
    markdown: Path | None = None
    plots: Path | None = None
    keep: bool = False
    threads: int | None = None


OPTIONS = EvalArguments


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    arguments = tyro.cli(EvalArguments, prog="deqmpc eval", args=argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    work = _evaluate
    if arguments.residuals:
        work = _residuals
    elif arguments.mu_max:
        work = _schedules
    return status_of("eval", lambda: work(arguments), Console(stderr=True), "")


def _evaluate(arguments: EvalArguments) -> None:
    task = load_task(arguments.task, **option_values(arguments.option))
    plan = Plan(
        arguments.episodes, arguments.seed, arguments.iterations or (rounds_per_tick(task.name),),
        arguments.cold, arguments.data, arguments.split,
    )  # fmt: skip
    with Console(stderr=True).status("…") as status:
        evaluation = evaluate(arguments.policies, task, plan, progress=status.update)
    Console().print(_table(evaluation.results))
    if arguments.json:
        write_json(arguments.json, evaluation.to_json())
    if arguments.markdown:
        from deqmpc_train.eval.report import markdown

        write_text(arguments.markdown, markdown(evaluation))
    if arguments.plots:
        from deqmpc_train.eval.plots import draw

        draw(evaluation, arguments.plots)
    if arguments.keep:
        keep(evaluation, arguments.policies, task.name)


def keep(evaluation: Evaluation, names: Sequence[str], task: str) -> None:
    """Each policy's rows as "evaluation" in its bundle's eval.json, the rest of which stays, and on its
    card."""
    for name in names:
        place = find_bundle(name, task)
        rows = [r.to_json() for r in evaluation.results if r.policy == Path(name).name]
        write_json(place / "eval.json", read_json(place / "eval.json") | {"evaluation": rows})
        renew_card(place)


def _residuals(arguments: EvalArguments) -> None:
    from deqmpc_train.eval.plots import draw_residuals
    from deqmpc_train.eval.report import residual_markdown
    from deqmpc_train.eval.residuals import held_out_residuals, search_on

    data = _data(arguments, "--residuals")
    found: list[dict[str, Any]] = []
    pages = []
    for name, policy in _loaded(arguments):
        search_on(policy, arguments.tolerance, arguments.evaluations)
        residuals = held_out_residuals(name, policy, data)
        label, states, rounds = Path(name).name, residuals.joint.shape[1], residuals.to_json()
        found.append({"policy": label, "task": policy.task.name, "states": states, "rounds": rounds})
        pages.append(residual_markdown(label, states, rounds))
        if arguments.plots:
            draw_residuals(label, rounds, arguments.plots / f"{label}-residuals.png")
        if arguments.keep:
            file = find_bundle(name, policy.task.name) / "eval.json"
            write_json(file, read_json(file) | {"residuals": found[-1]})
    _tell(arguments, "\n".join(pages), {"residuals": found})


def _schedules(arguments: EvalArguments) -> None:
    from deqmpc_train.eval.schedules import ScheduleErrors, schedule_errors, schedule_markdown

    data, found = _data(arguments, "--mu-max"), list[ScheduleErrors]()
    for name, policy in _loaded(arguments):
        found += schedule_errors(name, policy, data, arguments.mu_max)
    _tell(arguments, schedule_markdown(found), {"schedules": [row._asdict() for row in found]})


def _data(arguments: EvalArguments, option: str) -> Path:
    """The data set, which an option needs."""
    if arguments.data is None:
        raise ConfigError(f"{option} needs held-out states; give a data set by --data")
    return arguments.data


def _loaded(arguments: EvalArguments) -> Iterator[tuple[str, Policy]]:
    """The policies with their names, one after another, with a bar."""
    task = load_task(arguments.task, **option_values(arguments.option))
    for name in track(arguments.policies, "policies", console=Console(stderr=True), transient=True):
        yield name, load_policy(name, task)


def _tell(arguments: EvalArguments, page: str, told: dict[str, Any]) -> None:
    """Print the page, and write the files asked for."""
    Console().print(page, markup=False, highlight=False, soft_wrap=True)
    if arguments.json:
        write_json(arguments.json, told)
    if arguments.markdown:
        write_text(arguments.markdown, page)


def _table(results: list[PolicyResult]) -> Table:
    columns = "policy success fail return ratio dist L1 violation ms net solver"
    table = Table(*(Column(name, no_wrap=True) for name in columns.split()), box=None)
    for r in results:
        error = "" if r.validation_error is None else f"{r.validation_error:.4f}"
        flight, times = r.flight, r.times
        rates = (f"{flight.success_rate:.1%}", f"{flight.failure_rate:.1%}", f"{flight.return_mean:.1f}")
        figures = (_number(flight.normalised_return, 4), _number(flight.final_distance, 3), error)
        violation = f"{flight.violation_p99:.0e}"
        table.add_row(r.name, *rates, *figures, violation, *(f"{t:.2f}" for t in times))
    return table


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
