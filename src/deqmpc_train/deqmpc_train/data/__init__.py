"""Data sets: made by flying, imported from arrays and bags, written, checked, split and cut into windows."""

from deqmpc_train.data.bags import BagSummary, import_bags
from deqmpc_train.data.config import DataConfig
from deqmpc_train.data.episodes import SPLITS, Episode, Episodes
from deqmpc_train.data.generation import generate
from deqmpc_train.data.load import load_episodes, read_info, read_stats
from deqmpc_train.data.options import data_task
from deqmpc_train.data.published import import_arrays
from deqmpc_train.data.store import write_data_set
from deqmpc_train.data.windows import Window, Windows, continuous, scaling

__all__ = [
    "SPLITS",
    "BagSummary",
    "DataConfig",
    "Episode",
    "Episodes",
    "Window",
    "Windows",
    "continuous",
    "data_task",
    "generate",
    "import_arrays",
    "import_bags",
    "load_episodes",
    "read_info",
    "read_stats",
    "scaling",
    "write_data_set",
]
