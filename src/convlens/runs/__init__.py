"""Archive: what a run leaves on disk. It is a format; it knows nothing of training."""
