"""Gallery: pictures and tables of what has been run."""
