"""The versions of the detector."""

from typing import Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from bonafide.serving.access.callers import Calling
from bonafide.serving.api.documented import errors
from bonafide.serving.api.schemas import PREFIX
from bonafide.tracking.registry import ModelVersion

router = APIRouter(prefix=f"{PREFIX}/models", tags=["models"])


class Figure(BaseModel):
    """A figure on the test split with its 95 % interval; null where it can't be said."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Model(BaseModel):
    """A version of the detector."""

    version: int = Field(ge=1)
    aliases: list[str] = Field(description="`champion` answers, `challenger` waits for a decision")
    decided: bool = Field(description="whether a reviewer has decided on it")
    created: str = Field(description="when it was registered, UTC, ISO 8601")
    recipe: str
    weights: str = Field(description="what its backbone started from")
    dataset: str = Field(description="the version of the dataset that it was trained and tested on")
    threshold: float = Field(description="an item is called fake whose score is at or above it, where there are but two words")
    below_floor: bool = Field(description="it ranks the test items worse than simple features do")
    figures: dict[str, dict[str, Figure]] = Field(description="`item` and `frame` -> figure")

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """Return what of a version is told."""
        told = {name: getattr(version, name) for name in cls.model_fields if name not in ("decided", "figures")}
        figures = {
            level: {name: Figure.model_validate(figure) for name, figure in of_level.items()} for level, of_level in version.figures.items()
        }
        return cls(**told, decided=bool(version.decision), figures=figures)


class Models(BaseModel):
    """All versions, the newest first."""

    items: list[Model]


@router.get("", summary="List the versions", responses=errors())
def listed(request: Request, caller: Calling) -> Models:
    """List the versions of the detector with their figures; a change shows within seconds."""
    return Models(items=[Model.of(version) for version in request.app.state.versions.all()])
