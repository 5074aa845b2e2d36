"""``python -m realframe`` is the command ``realframe``."""

from realframe.cli import main

main()
