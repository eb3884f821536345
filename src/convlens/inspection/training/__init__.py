"""What one training step takes, in bytes and in seconds."""
