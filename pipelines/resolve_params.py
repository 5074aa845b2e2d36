"""Resolve the parameters of the run: apply the recipe and the overrides to params.yaml, validate the result and write it for the stages."""

import keras

from realframe import artifacts
from realframe.config import resolve_params
from realframe.models import backbones


def main() -> None:
    """Run the stage. Raises ParamsError, also for a backbone that cannot be built at this frame size."""
    resolved = resolve_params(artifacts.PARAMS, artifacts.RECIPES)
    size = resolved.params.clean.size
    backbones.get_backbone(resolved.params.train.backbone).build(keras.Input((size, size, 3)))
    resolved.save(artifacts.RESOLVED_PARAMS)


if __name__ == "__main__":
    main()
