"""A recipe made fit for the machine it runs on.

probe.py            ways to compute a step of a recipe, timed in turns, and the one to take
settle.py           "auto" in a recipe replaced by what the probe says; refusals before any work
compiled.py         the steps of a training compiled by torch.compile, and how long that took
"""
