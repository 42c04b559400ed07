"""A run of `deqmpc sim`: processes, episodes over ROS 2, faults, verdicts."""
