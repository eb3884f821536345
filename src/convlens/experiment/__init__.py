"""Control desk: the only place that joins data, models, training and runs."""
