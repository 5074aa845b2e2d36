"""Lay the recipe and the overrides over params.yaml, check the result and write it for the other stages."""

import keras

from bonafide import artefacts
from bonafide.models import backbones
from bonafide.params import resolve


def main() -> None:
    """Run the stage. Raises ParamsError: what no run could use is refused before anything is computed."""
    resolved = resolve(artefacts.PARAMS, artefacts.RECIPES)
    size = resolved.params.clean.size
    backbones.get(resolved.params.train.backbone).build(keras.Input((size, size, 3)))
    resolved.save(artefacts.RESOLVED)


if __name__ == "__main__":
    main()
