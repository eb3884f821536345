"""Machines: one file per paper, listed in `catalog`."""
