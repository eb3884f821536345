"""The time-to-accuracy board: how long a training takes until Fashion-MNIST is known so well.

`python -m benchmarks.board` measures it, README.md says by which rules, `trial.py` is for finding
better recipes, and log.md tells what paid.
"""
