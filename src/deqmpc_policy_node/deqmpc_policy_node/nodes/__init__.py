"""Executables: policy (plans), commander (flies), recorder (writes the bag)."""
