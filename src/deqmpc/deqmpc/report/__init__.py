"""`deqmpc report`: one HTML file about a flight or a training, which needs no network to be read."""
