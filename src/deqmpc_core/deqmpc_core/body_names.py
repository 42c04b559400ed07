"""How motion capture's names of rigid bodies are compared with the one that is wanted."""


def same_body(name: str, wanted: str) -> bool:
    """By name, or by number ("7" finds "7" and "07")."""
    return name == wanted or _number(name) == _number(wanted) != -1


def _number(name: str) -> int:
    return int(name) if name.isascii() and name.isdigit() and len(name) < 10 else -1
