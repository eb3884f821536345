"""One file per command. They import the library inside their functions, so help is fast."""
