"""`deqmpc bench solver`: the project's solver side by side with what else people can pick today."""
