"""Augmentation: an image is shown a little different each time, and means the same."""
