"""Contestants that need a process of their own; see `benchmarks.pipe`."""
