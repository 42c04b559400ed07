"""Tables of data sets and of what became of recordings."""

from typing import Any

from rich.table import Table

from deqmpc_train.data.bags import BagSummary

_FACTS = ("task", "task_options", "source", "expert", "seed", "episodes", "steps", "dt", "dropped")


def facts_table(info: dict[str, Any], stats: dict[str, Any]) -> Table:
    """What info.json and stats.json say of the whole."""
    facts = Table("", "", box=None, show_header=False)
    for key in _FACTS:
        if key in info:
            facts.add_row(key, str(info[key]))
    if "return" in stats:
        rate = stats["successes"] / info["episodes"]
        facts.add_row("return", f"{stats['return']['mean'][0]:.2f} +- {stats['return']['std'][0]:.2f}")
        facts.add_row("successes", f"{stats['successes']} ({rate:.1%})")
    return facts


def spread_table(info: dict[str, Any], stats: dict[str, Any]) -> Table:
    """A row a state or action: how it is spread over all rows."""
    table = Table("column", "mean", "std", "min", "max", box=None)
    for column, names in (("state", info.get("states", [])), ("action", info.get("controls", []))):
        for i, name in enumerate(names):
            table.add_row(name, *(f"{stats[column][k][i]:.4g}" for k in ("mean", "std", "min", "max")))
    return table


def bag_table(summary: BagSummary) -> Table:
    """A row a bag that was taken: its episodes, and how far our estimates are from the node's."""
    table = Table("bag", "episodes", "estimate off by", box=None)
    for bag, count in summary.taken.items():
        table.add_row(bag, str(count), f"{summary.difference[bag]:.1e}")
    return table
