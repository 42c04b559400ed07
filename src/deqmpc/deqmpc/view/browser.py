"""Where the page is, and the browser that shows it."""

import os
import socket
import webbrowser

from rich.console import Console

from deqmpc_core.errors import ConfigError

HOST = "127.0.0.1"
TRIED = 100
"""Ports that are looked at from the wanted one on."""


def free_port(wanted: int) -> int:
    """The wanted port of this machine or the next free one. Raises ConfigError."""
    for port in range(wanted, min(wanted + TRIED, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except (OSError, OverflowError):
                continue
            return port
    raise ConfigError(f"--port: none of {TRIED} ports from {wanted} on is free; choose another")


def show(console: Console, url: str) -> None:
    """Say where the page is; on a desktop open it."""
    console.print(f"view at {url}", highlight=False, soft_wrap=True)
    if console.is_terminal and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(url)
