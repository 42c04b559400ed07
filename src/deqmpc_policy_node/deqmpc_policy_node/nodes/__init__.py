"""Executables: policy (plans), commander (flies), recorder (writes bags), mocap_bridge (poses for the
robot's server)."""
