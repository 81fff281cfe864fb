"""Lets `python -m nextgen_tui` be the same as `nextgen`."""

from nextgen_tui.cli.main import main

if __name__ == "__main__":
    main()
