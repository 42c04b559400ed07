"""A figure's files from the results of its jobs: NAME.png, NAME.md, NAME.json; and README.md over all."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.files import read_json, write_json, write_text
from deqmpc_train.eval.report import table
from deqmpc_train.paper.catalogue import FIGURES
from deqmpc_train.paper.figure import Figure, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.ledger import Found
from deqmpc_train.paper.page import page, to_json
from deqmpc_train.sweep import Job, closure

_INDEX = "README.md"


def jobs_of(figures: Iterable[Figure], plan: Plan, tasks: Sequence[str] = ()) -> list[Job]:
    """Every job of some figures, once; tasks: of these alone, if any are named. Raises UnknownNameError for
    one that no figure has."""
    cells = [cell for figure in figures for cell in figure.grid(plan).items()]
    known = dict.fromkeys(cell.task for cell, _ in cells)
    for task in tasks:
        if task not in known:
            raise UnknownNameError("task", task, known)
    jobs = [job for cell, all_of_it in cells if not tasks or cell.task in tasks for job in all_of_it]
    return list({job.key: job for job in jobs}.values())


def publish(figure: Figure, plan: Plan, found: Found, out: Path, command: str) -> dict[str, Any]:
    """Write the figure's files; its claims and figures as plain values. What people have written into
    why/NAME.md, reasons for what differs, ends the page. Raises ConfigError where a job has no result."""
    from deqmpc_train.paper.plot import save

    results = Results(figure, figure.grid(plan), found)
    findings = [claim.test(results) for claim in figure.claims]
    budget = plan.scale.budget
    if budget == "smoke":
        findings = [finding.unsaid() for finding in findings]
    hours, trainings = spent(jobs_of([figure], plan), found)
    told = to_json(results, findings, command, budget, hours)
    save(results, out / f"{figure.name}.png", command)
    cost = f"{hours:.2f} CPU hours in all, {trainings} trainings, shared with other figures"
    if (states := codes(jobs_of([figure], plan), found)) > 1:
        cost += f"; computed by {states} states of the code, `code` in jobs.jsonl tells them apart"
    text, reasons = page(results, findings, command, budget, cost), out / "why" / f"{figure.name}.md"
    if reasons.is_file():
        text += f"\n## Why\n\n{reasons.read_text()}"
    write_text(out / f"{figure.name}.md", text)
    write_json(out / f"{figure.name}.json", told)
    return told


def spent(jobs: Iterable[Job], found: Found) -> tuple[float, int]:
    """CPU hours behind jobs and all they need, and how many trainings there were."""
    done = [job for job in closure(jobs).values() if found.done(job)]
    return sum(found.seconds(job)[0] for job in done) / 3600.0, sum(job.kind == "train" for job in done)


def codes(jobs: Iterable[Job], found: Found) -> int:
    """How many states of the code have computed jobs and what they need; policies taken over, which do not
    say, count as one."""
    return len({found.code(job) for job in closure(jobs).values() if found.done(job)})


def index(out: Path) -> None:
    """A page over all figures that are there: every claim and its verdict."""
    body = []
    for name in FIGURES:
        if (out / f"{name}.json").is_file():
            told = read_json(out / f"{name}.json")
            body += [[f"[{name}]({name}.md)", c["text"], c["where"], c["verdict"]] for c in told["claims"]]
    lines = ["# The paper's claims", "", *table(("figure", "the paper says", "where", "verdict"), body), ""]
    write_text(out / _INDEX, "\n".join(lines))
