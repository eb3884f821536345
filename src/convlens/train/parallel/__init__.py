"""Training in more than one process: the world they make, and what they share."""
