"""One module per section: its questions and their experiments."""
