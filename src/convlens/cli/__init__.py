"""Front door: the `convlens` command."""
