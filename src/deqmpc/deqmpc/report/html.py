"""A page from sections: tables, figures as SVG, text. Whatever comes in as text is escaped."""

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: 0.5rem 0; } th, td { padding: 0.15rem 0.7rem; text-align: left;
border-bottom: 1px solid #eee; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f6f6f6; padding: 0.7rem; overflow-x: auto; } svg, img { max-width: 100%; height: auto; }
.bad { color: #b00020; font-weight: 600; } .note { color: #666; } details { margin: 0.5rem 0; }
@media print { body { margin: 0; } details { display: block; } }
"""
_SVG_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)


def page(title: str, sections: Sequence[str]) -> str:
    """The document."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join(part for part in sections if part)
    top = f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body><h1>{escape(title)}</h1>\n'
    return f"{top}{body}</body></html>\n"


def section(title: str, *parts: str) -> str:
    """A heading and what is under it; nothing where there is nothing under it."""
    inner = "\n".join(part for part in parts if part)
    return f"<section><h2>{escape(title)}</h2>\n{inner}</section>" if inner else ""


def paragraph(text: str, kind: str = "") -> str:
    """Plain text; kind: "bad" or "note"."""
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Numbers to the right; nothing where there is no row."""
    lines = ["<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows]
    if not lines:
        return ""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><tr>{top}</tr>\n" + "\n".join(lines) + "</table>"


def facts(values: Mapping[str, Any]) -> str:
    """A table of names and values; those that are None or empty are left out."""
    known = {key: value for key, value in values.items() if value not in (None, "", [], {})}
    shown = {key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in known.items()}
    return table(("", ""), shown.items())


def _cell(value: Any) -> str:
    if value is None:
        return "<td>-</td>"
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    if isinstance(value, float):
        return f'<td class="n">{value:.4g}</td>'
    return f"<td>{escape(str(value))}</td>"


def folded(title: str, inner: str) -> str:
    """Shown when the reader opens it."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>" if inner else ""


def preformatted(text: str) -> str:
    """Text as it is."""
    return f"<pre>{escape(text)}</pre>" if text.strip() else ""


def markdown(text: str) -> str:
    """Markdown as HTML; HTML within it is shown, not obeyed."""
    return MarkdownIt("js-default", {"html": False}).render(text)


def drawing(figure: Figure, alt: str) -> str:
    """The figure as inline SVG. Its text stays text."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": alt}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = _SVG_HEAD.sub("", stream.getvalue(), count=1)
    return f'<div role="img" aria-label="{escape(alt)}">{svg}</div>'


def picture(file: Path, alt: str) -> str:
    """A PNG file within the page."""
    data = base64.b64encode(file.read_bytes()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'
