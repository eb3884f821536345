"""Workshop: mathematics on tensors, each operation with one meaning."""
