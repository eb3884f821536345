"""Loggers: a training in the formats of other programs, while it runs."""
