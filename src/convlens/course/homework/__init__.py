"""Homework: the whole notebook replayed, number by number, training by training."""
