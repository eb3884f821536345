"""Lessons: the questions of the book's exercises, each with an experiment that answers it."""
