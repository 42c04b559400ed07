"""The table below every figure of returns: what stands behind one number over the expert's."""

from deqmpc_train.eval.report import table
from deqmpc_train.paper.figure import Results
from deqmpc_train.paper.measured import known
from deqmpc_train.paper.rule import wilson


def return_table(results: Results) -> list[str]:
    """Of every cell: mean return, the expert's from the same starts, failures and successes."""
    xs, body = len(results.xs) > 1, []
    for cell, found in results.found.items():
        told = known(found)
        columns = {key: [v for part in told for v in part[key]] for key in ("returns", "expert", "success")}
        failed = [v for part in told for v in part["failed"]]
        where = [cell.task, *([f"{cell.x:g}"] if xs else []), cell.variant]
        if not failed:
            body.append([*where, "did not train", "", "", ""])
            continue
        means = (f"{sum(columns[key]) / len(failed):.4g}" for key in ("returns", "expert"))
        body.append([*where, *means, rate(failed), rate(columns["success"])])
    head = ("task", *([results.figure.x.label] if xs else []), "variant", "return", "expert's return",
            "failures", "successes")  # fmt: skip
    return ["Mean returns as they are, and how the flights ended, with Wilson's intervals.", "",
            *table(head, body)]  # fmt: skip


def rate(flags: list[bool]) -> str:
    """A share with its interval."""
    low, high = wilson(sum(flags), len(flags))
    return f"{sum(flags) / len(flags):.1%} [{low:.1%}, {high:.1%}]"
