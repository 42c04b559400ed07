"""Verbs of the command `deqmpc` that belong to this package: modules with main(arguments) -> exit status."""
