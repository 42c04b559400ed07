"""All figures by name."""

from deqmpc_train.paper import (
    convergence,
    fig2,
    fig3,
    fig4,
    fig5,
    fig6,
    fig7,
    fig8,
    fig9,
    fig10,
    table1,
    timing,
)
from deqmpc_train.paper.figure import Figure

_MODULES = (fig2, fig3, fig4, fig5, fig6, fig7, fig8, fig9, fig10, convergence, timing, table1)
FIGURES: dict[str, Figure] = {module.FIGURE.name: module.FIGURE for module in _MODULES}
