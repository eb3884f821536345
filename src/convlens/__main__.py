"""`python -m convlens` is the `convlens` command."""

from convlens.cli.main import main

if __name__ == "__main__":
    main()
