"""deqmpc compare: train every variant alike, fly them from the same starts, write the table."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from deqmpc_core.files import read_json, write_json, write_text
from deqmpc_core.policies import LEARNED
from deqmpc_core.tasks import load_task
from deqmpc_train.compare import Comparison, Run, digest, train_all
from deqmpc_train.config import Overrides
from deqmpc_train.data.options import option_values
from deqmpc_train.eval import Evaluation, Plan, evaluate
from deqmpc_train.eval.plots import draw
from deqmpc_train.eval.report import markdown, pair_lines
from deqmpc_train.eval.splits import by_variant, pairs, variant_table
from deqmpc_train.tuned import GRID, Budget, rounds_per_tick
from deqmpc_train.verbs.ending import status_of
from deqmpc_train.verbs.eval import keep


@dataclass(frozen=True)
class CompareArguments:
    """Train all variants of a task on the same data, splits, widths, steps, learning rates tried and stopping
    rule, then fly them from the same starts, with paired differences.

    data: the data set. option: NAME=VALUE, an option of the task. out: everything goes there (default
    runs/compare/<task>): models/, train/, logs/, compare.json, compare.md, pictures; the same command skips
    what is finished and goes on with what was stopped. variants, splits: which. grid: learning rates each
    chooses from. jobs: training processes of one thread each. episodes, start_seed: the starts. iterations:
    rounds of a warm tick (default: the task's). cold: fly without warm starts too. json: one more place for
    compare.json. The other options change the tuned defaults of all variants alike.
    """

    task: str
    data: Path
    option: tuple[str, ...] = ()
    out: Path | None = None
    variants: tuple[str, ...] = LEARNED
    splits: tuple[int, ...] = (0,)
    budget: Budget = "laptop"
    grid: tuple[float, ...] = GRID
    jobs: int = 2
    episodes: int = 200
    start_seed: int = 0
    iterations: tuple[int, ...] = ()
    cold: bool = False
    json: Path | None = None
    options: Annotated[Overrides, tyro.conf.arg(name="")] = field(default_factory=Overrides)


OPTIONS = CompareArguments


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    arguments = tyro.cli(CompareArguments, prog="deqmpc compare", args=argv)
    console = Console()

    def work() -> None:
        plan = _comparison(arguments)
        _train(plan)
        command = shlex.join(["deqmpc", "compare", *(sys.argv[1:] if argv is None else argv)])
        console.print(_judged(plan, arguments, command), markup=False, highlight=False)
        if arguments.json:
            write_json(arguments.json, read_json(plan.out / "compare.json"))

    return status_of("compare", work, console)


def _comparison(arguments: CompareArguments) -> Comparison:
    return Comparison(
        arguments.task, arguments.data, arguments.out or Path("runs") / "compare" / arguments.task,
        arguments.variants, arguments.splits, arguments.budget, arguments.grid, arguments.jobs,
        option_values(arguments.option), arguments.options,
    )  # fmt: skip


def _train(plan: Comparison) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=600.0) as progress:
        bars: dict[str, TaskID] = {}

        def watch(name: str, done: int, total: int) -> None:
            bar = bars.setdefault(name, TaskID(-1))
            if bar == -1:
                bars[name] = bar = progress.add_task(name, total=total)
            progress.update(bar, completed=done)

        train_all(plan, watch)


def _judged(plan: Comparison, arguments: CompareArguments, command: str) -> str:
    """compare.md; flown again only where a policy or the way of flying has changed."""
    runs, task = plan.runs(), load_task(plan.task, **plan.task_options)
    rounds = arguments.iterations or (rounds_per_tick(task.name),)
    way = Plan(arguments.episodes, arguments.start_seed, rounds, arguments.cold, plan.data)
    key = digest([r.bundle for r in runs], way)
    page, figures = plan.out / "compare.md", plan.out / "compare.json"
    if page.is_file() and figures.is_file() and read_json(figures).get("key") == key:
        return page.read_text()
    names = [str(r.bundle) for r in runs]
    with Console(stderr=True).status("…") as status:
        evaluation = evaluate(names, task, way, progress=status.update)
    text, values = _told(evaluation, runs, command)
    draw(evaluation, plan.out)
    keep(evaluation, names, task.name)
    write_text(page, text)
    write_json(figures, {"key": key, **values})
    return text


def _told(evaluation: Evaluation, runs: list[Run], command: str) -> tuple[str, dict[str, Any]]:
    """The page and the figures: every policy, and the variants' means over splits."""
    variants = {run.name: run.variant for run in runs}
    warm = evaluation.results[0].iterations
    first = [r for r in evaluation.results if r.iterations == warm and not r.cold]
    means = by_variant([(variants[r.policy], r) for r in first], evaluation.expert)
    paired = pairs(means, evaluation.expert)
    trained = {
        run.name: {k: v for k, v in read_json(run.bundle / "eval.json")["training"].items() if k != "data"}
        for run in runs
    }
    alone = evaluation._replace(differences=[])
    lines = ["", "## Variants, mean over splits", "", *variant_table(means), "", *pair_lines(paired)]
    values = evaluation.to_json() | {
        "variants": [v.to_json() for v in means], "pairs": [d._asdict() for d in paired], "training": trained,
    }  # fmt: skip
    return markdown(alone, command, timed=False) + "\n".join(lines), values


if __name__ == "__main__":
    sys.exit(main())
