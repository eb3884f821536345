"""Runs beside each other and on paper: what chance does, curves, mistakes, a page to hand in."""
