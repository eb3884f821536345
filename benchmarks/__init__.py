"""How fast ConvLens is, and beside whom: measured on demand, never part of the tests.

`python -m benchmarks` runs them; README.md says how to read the results. ConvLens knows nothing
of this package.
"""
