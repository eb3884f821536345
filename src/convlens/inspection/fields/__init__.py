"""How receptive fields are found: what tensors see, and how each operation moves it."""
