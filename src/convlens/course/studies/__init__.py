"""The studies, one module for each section of the book, and the training that some share."""
