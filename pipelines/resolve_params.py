"""Lay the recipe and the overrides over params.yaml, check the result and write it for the other stages."""

from bonafide import artefacts
from bonafide.params import resolve


def main() -> None:
    """Run the stage."""
    resolve(artefacts.PARAMS, artefacts.RECIPES).save(artefacts.RESOLVED)


if __name__ == "__main__":
    main()
