"""A person's own images: one folder per class, or a table of paths and labels."""
