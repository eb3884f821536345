"""Engine room: the loop, its events, and evaluation."""
