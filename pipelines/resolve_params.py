"""Lay the recipe and the overrides over params.yaml, check the result and write it for the other stages."""

import keras

from realframe import artifacts
from realframe.config import resolve
from realframe.models import backbones


def main() -> None:
    """Run the stage. Raises ParamsError: what no run could use is refused before anything is computed."""
    resolved = resolve(artifacts.PARAMS, artifacts.RECIPES)
    size = resolved.params.clean.size
    backbones.get(resolved.params.train.backbone).build(keras.Input((size, size, 3)))
    resolved.save(artifacts.RESOLVED)


if __name__ == "__main__":
    main()
