"""A recipe as an estimator: arrays in, labels out."""
