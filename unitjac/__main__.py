"""``python -m unitjac``: the command line, where its script is not on the path."""

from unitjac._cli import main

if __name__ == "__main__":
    main(prog_name="unitjac")
