"""``python -m bonafide`` is the command ``bonafide``."""

from bonafide.cli import main

main()
