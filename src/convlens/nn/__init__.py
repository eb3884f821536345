"""Parts: operations with parameters."""
