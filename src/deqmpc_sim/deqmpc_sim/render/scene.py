"""What every drawing of an episode offers."""

from abc import ABC, abstractmethod

# Okabe and Ito's colours: told apart with any colour vision.
ROBOT, PATH, SPHERE, GOAL, POLE = "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00"


class Scene(ABC):
    """A figure that shows one knot of an episode at a time."""

    @abstractmethod
    def show(self, knot: int) -> None:
        """Move what moves to where it is at a knot."""
