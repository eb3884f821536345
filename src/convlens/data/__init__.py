"""Pantry: where tensors come from."""
