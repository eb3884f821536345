"""Foundations: errors, names, configuration, seeds, and the letters of the axes."""
