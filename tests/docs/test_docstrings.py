"""Every public name of deqmpc_core says what it is, and gives shapes where it takes or returns arrays.

Public: what `__all__` of the package and of its rooms lists, with the members of its classes that do not
begin with an underscore. A method that overrides one may leave the shapes to the one it overrides.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

ROOMS = ("", ".mpc", ".nets", ".policies", ".systems", ".tasks", ".testing", ".flight")
ARRAY = re.compile(r"\b(Tensor|ndarray|NDArray|Spheres|Observation)\b")
_SIZE = r"(?:\.\.\.|…|count|horizon|steps|(?:1 \| )?[0-9]*[A-Za-z]?(?:\+[0-9A-Za-z])*)"
SHAPE = re.compile(rf"\({_SIZE}(?:,|(?:, ?{_SIZE})+)(?:;[^)]*)?\)|\(\.\.\.\)")
OURS = "deqmpc_core"


def public() -> Iterator[tuple[str, Any]]:
    """Every public name once, with what it stands for."""
    seen: set[int] = set()
    for room in ROOMS:
        module = importlib.import_module(OURS + room)
        for name in module.__all__:
            thing = getattr(module, name)
            if id(thing) not in seen and not name.startswith("__"):
                seen.add(id(thing))
                yield f"{OURS}{room}.{name}", thing


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """The functions, properties and class methods that a class of ours has, inherited ones of ours too."""
    for name, _ in inspect.getmembers(owner):
        home = next((c for c in owner.__mro__ if name in c.__dict__), object)
        thing = home.__dict__.get(name)
        called = thing.__func__ if isinstance(thing, classmethod | staticmethod) else thing
        called = called.fget if isinstance(called, property) else getattr(called, "func", called)
        if not name.startswith("_") and home.__module__.startswith(OURS) and inspect.isfunction(called):
            yield name, called


def described(owner: type | None, name: str, thing: Any) -> str:
    """The docstrings that speak of a function: its own, of a method also those it overrides."""
    texts = [inspect.getdoc(thing) or ""]
    for base in owner.__mro__[1:] if owner else ():
        if name in base.__dict__:
            texts.append(inspect.getdoc(base.__dict__[name]) or "")
    return "\n".join(texts)


def takes_arrays(function: Any) -> bool:
    """Whether an annotation of the function names an array."""
    return any(ARRAY.search(str(note)) for note in getattr(function, "__annotations__", {}).values())


def faults(name: str, thing: Any) -> Iterator[str]:
    if inspect.isclass(thing):
        # A dataclass or named tuple without words of its own has its signature as docstring.
        own = inspect.getdoc(thing) or ""
        if not own or own.startswith(f"{thing.__name__}("):
            yield f"{name}: no docstring"
        if any(ARRAY.search(str(note)) for note in thing.__dict__.get("__annotations__", {}).values()):
            if not SHAPE.search(own):
                yield f"{name}: holds arrays, but its docstring gives no shape"
        for member, function in members(thing):
            yield from lacking(f"{name}.{member}", described(thing, member, function), function)
    elif inspect.isfunction(thing):
        yield from lacking(name, described(None, name, thing), thing)


def lacking(name: str, text: str, function: Any) -> Iterator[str]:
    if not text.strip():
        yield f"{name}: no docstring"
    elif takes_arrays(function) and not SHAPE.search(text):
        yield f"{name}: takes or gives arrays, but its docstring gives no shape"


def test_every_public_name_has_a_docstring_with_shapes() -> None:
    found = [fault for name, thing in public() for fault in faults(name, thing)]
    assert not found, "\n".join(found)


def test_the_rooms_are_all_rooms() -> None:
    """A new package of deqmpc_core with public names is not forgotten here."""
    import pkgutil

    package = importlib.import_module(OURS)
    listed = {m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg}
    assert listed == {room.strip(".") for room in ROOMS if room}


@pytest.mark.parametrize("good", ["(B, n)", "(..., T, m)", "(B,)", "(k, 3)", "(B,T+1,n)", "(1 | S+1, k, 3)"])
def test_a_shape_is_recognised(good: str) -> None:
    assert SHAPE.search(f"x {good} [m]")


@pytest.mark.parametrize("other", ["(Eq. 9)", "(see Plant)", "(mass, inertia)", "(0.5 s)", "()", "(A.4)"])
def test_what_is_no_shape_is_not(other: str) -> None:
    assert not SHAPE.search(f"x {other}")
