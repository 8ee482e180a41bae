"""The command line as ``python -m mdfactory``."""

from mdfactory.cli import main

if __name__ == "__main__":
    main()
