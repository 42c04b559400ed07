"""Verbs of the `deqmpc` command: each module has main(argv) -> exit code."""
