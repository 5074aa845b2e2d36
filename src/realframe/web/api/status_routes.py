"""API routes of the model versions, and of the health and metrics of the service."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field

from realframe.errors import NotFoundError, RegistryError, SetupError
from realframe.governance import gate
from realframe.registry.model_registry import ModelVersion
from realframe.web import error_responses
from realframe.web.api.openapi import error_docs, public_error_docs
from realframe.web.api.schemas import PREFIX
from realframe.web.auth.authentication import CurrentUser
from realframe.web.error_responses import FieldError
from realframe.web.service_monitor import ServiceMonitor

models_router = APIRouter(prefix=f"{PREFIX}/models", tags=["models"])


class MetricResource(BaseModel):
    """A metric on the test split with its 95 % interval; null if it cannot be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None


class ModelResource(BaseModel):
    """A version of the detector."""

    version: int = Field(ge=1)
    aliases: list[str] = Field(description="`champion` scores the files, `challenger` waits for a decision")
    is_decided: bool = Field(description="whether a reviewer has decided on it")
    created: str = Field(description="when it was registered, UTC, ISO 8601")
    recipe: str
    weights: str = Field(description="the pretrained weights of its backbone")
    dataset: str = Field(description="the dataset version that it was trained and tested on")
    threshold: float = Field(description="an item counts as fake from this score on, where only two classes are reported")
    below_baseline: bool = Field(description="whether it ranks the test items worse than the linear-probe baseline")
    metrics: dict[str, dict[str, MetricResource]] = Field(description="the metrics per `item` and per `frame`")

    @classmethod
    def from_version(cls, version: ModelVersion) -> Self:
        """Return the public fields of a version."""
        fields = {name: getattr(version, name) for name in cls.model_fields if name not in ("is_decided", "metrics")}
        metrics = {
            level: {name: MetricResource.model_validate(figure) for name, figure in level_figures.items()}
            for level, level_figures in version.figures.items()
        }
        return cls(**fields, is_decided=bool(version.decision), metrics=metrics)


class ModelList(BaseModel):
    """All versions, newest first."""

    items: list[ModelResource]


@models_router.get("", summary="List the model versions", responses=error_docs())
def list_models(request: Request, user: CurrentUser) -> ModelList:
    """List the versions of the detector with their metrics; changes appear within seconds."""
    return ModelList(items=[ModelResource.from_version(version) for version in request.app.state.monitor.list_versions()])


class RuleResource(BaseModel):
    """The outcome of one rule of the gate."""

    name: str
    is_met: bool | None = Field(description="null: unknown, which counts as not met")
    observed: str = Field(description="what was measured, in words")
    required: str = Field(description="the bound, in words")


class GateResource(BaseModel):
    """The stored result of the gate, for the version, the champion, the rules and the evidence as they are now."""

    digest: str = Field(description="of everything that the result depends on")
    version: int = Field(ge=1)
    champion: int | None = Field(description="the version that it was compared with; null if there is no other champion")
    created: str = Field(description="when the result was computed, UTC, ISO 8601")
    rules: list[RuleResource]


@models_router.get("/{version}/gate", summary="Get the result of the gate", responses=error_docs(404))
def get_gate_result(request: Request, user: CurrentUser, version: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> GateResource:
    """Return the stored result of a version; nothing is computed. Where there is no current one, the detail says how to compute it."""
    try:
        result = gate.require_gate_result(version, request.app.state.store)
    except RegistryError as error:
        raise NotFoundError(error.subject, error.reason, error.hint) from error
    return GateResource.model_validate(result.as_dict())


service_router = APIRouter(tags=["service"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Files are accepted and scored."""

    status: Literal["ready"] = "ready"
    age_s: float = Field(ge=0, description="seconds since the components were checked")


@service_router.get("/healthz", summary="Check whether the process is alive", responses=public_error_docs())
async def get_health() -> Alive:
    """Answer, even if a component is missing."""
    return Alive()


@service_router.get("/readyz", summary="Check whether the service is ready", responses=public_error_docs(503), response_model=Ready)
async def get_readiness(request: Request) -> Ready | Response:
    """Tell whether the store answers, a champion exists and a worker is alive; otherwise name the missing components.

    They are checked in the background every few seconds; this request only reads what was found, and waits for nothing.
    """
    monitor: ServiceMonitor = request.app.state.monitor
    age_s = round(monitor.age_s, 1)
    problems = [FieldError(location=component, message=message) for component, message in monitor.list_problems().items()]
    if not problems:
        return Ready(age_s=age_s)
    detail = "; ".join(f"{problem.location}: {problem.message}" for problem in problems) + f" (checked {age_s:g} seconds ago)"
    return error_responses.problem_response(request, 503, SetupError.code, detail, field_errors=problems)


@service_router.get(
    "/metrics",
    summary="Get the metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "Text format 0.0.4.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **public_error_docs(),
    },
)
def get_metrics(request: Request) -> Response:
    """Return the metrics."""
    return Response(request.app.state.metrics.to_text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
