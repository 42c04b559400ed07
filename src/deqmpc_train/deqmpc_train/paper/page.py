"""A figure's page: its claims, what was found, and its numbers."""

from collections.abc import Sequence
from typing import Any

from deqmpc_train.eval.report import table
from deqmpc_train.paper.figure import Figure, Results
from deqmpc_train.paper.plot import NAMES
from deqmpc_train.paper.rule import Finding

BANNER = (
    "**Smoke budget: shows that everything can be made. Its numbers mean nothing, and nothing is said of any "
    "claim.**"
)
SIGNS = "its sign is not the expert's"
_CLAIMS = ("the paper says", "where", "we found", "verdict")


def page(results: Results, findings: list[Finding], command: str, budget: str, spent: str) -> str:
    """Markdown."""
    figure = results.figure
    one = "One training a cell: intervals are of these policies, not of the method."
    many = "Cells of several trainings (n): intervals are over the splits too."
    alone = figure.pooled or all(len(found) == 1 for found in results.found.values())
    lines = [
        f"# {figure.title}", "", *([BANNER, ""] if budget == "smoke" else []),
        f"![{figure.title}]({figure.name}.png)", "", figure.caption, "",
        one if alone else many, "", "## Claims", "",
        *table(_CLAIMS, [_claim(c, f) for c, f in zip(figure.claims, findings, strict=True)]), "",
        "## Figures", "", f"{figure.y.label}, with 95 % intervals.", "", *numbers(results), "",
        *([*figure.tables(results), ""] if figure.tables else []),
        f"Made by `{command}`; {spent}.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def numbers(results: Results) -> list[str]:
    """A table of every cell."""
    tasks, xs = len(results.tasks) > 1, len(results.xs) > 1
    head = [*(["task"] if tasks else []), *([results.figure.x.label] if xs else []), "variant", "value", "n"]
    body = []
    for cell, measured in results.measured.items():
        where = [*([cell.task] if tasks else []), *([f"{cell.x:g}"] if xs else [])]
        found = results.found[cell]
        body.append([*where, NAMES[cell.variant], _number(measured, found), str(len(found))])
    return table(head, body)


def to_json(
    results: Results, findings: list[Finding], command: str, budget: str, hours: float
) -> dict[str, Any]:
    """Everything on the page, as plain values; null is what is not known."""
    figure = results.figure
    cells = [
        {**cell._asdict(), "value": _plain(m.value), "interval": [_plain(v) for v in m.interval],
         "trainings": len(results.found[cell])}
        for cell, m in results.measured.items()
    ]  # fmt: skip
    claims = [_told(figure, i, finding) for i, finding in enumerate(findings)]
    return {
        "figure": figure.name,
        "budget": budget,
        "command": command,
        "cpu_hours": round(hours, 3),
        "claims": claims,
        "cells": cells,
    }


def _told(figure: Figure, index: int, finding: Finding) -> dict[str, Any]:
    claim = figure.claims[index]
    parts = [
        {"what": p.what, "value": _plain(p.value), "interval": [_plain(v) for v in p.interval],
         "verdict": p.verdict.value}
        for p in finding.parts
    ]  # fmt: skip
    return {"text": claim.text, "where": claim.where, "verdict": finding.verdict.value, "parts": parts}


def _claim(claim: Any, finding: Finding) -> list[str]:
    return [claim.text, claim.where, "<br>".join(map(str, finding.parts)), f"**{finding.verdict.value}**"]


def _number(measured: Any, found: Sequence[dict[str, Any]]) -> str:
    if not measured.top.size:
        return "did not train" if any("missing" in told or told.get("stopped") for told in found) else SIGNS
    low, high = measured.interval
    return f"{measured.value:.4g}" + ("" if low != low else f" [{low:.4g}, {high:.4g}]")


def _plain(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
