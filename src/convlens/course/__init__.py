"""Lessons: the questions of the book's exercises, each with the experiment that answers it."""
