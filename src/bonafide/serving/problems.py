"""Errors as programs read them: problem details (RFC 9457, ``application/problem+json``)."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from bonafide import errors
from bonafide.errors import BonafideError, LaterError

MEDIA_TYPE = "application/problem+json"
_STATUSES: dict[type[BonafideError], int] = {
    errors.BodyError: 400,
    errors.CallerError: 401,
    errors.ForbiddenError: 403,
    errors.AccountError: 403,
    errors.NotThereError: 404,
    errors.SlowError: 408,
    errors.NotKeptError: 409,
    errors.UnknownError: 404,
    errors.LedgerError: 409,
    errors.TooLargeError: 413,
    errors.BodyTypeError: 415,
    errors.LaterError: 429,
    errors.MetadataError: 503,
    errors.SetupError: 503,
    errors.NoRoomError: 507,
    errors.RequestError: 400,
    errors.BonafideError: 409,
}
_CODES = {400: "request.body", 404: "request.not-there", 405: "request.method", 422: "request.invalid"}


class Wrong(BaseModel):
    """One thing that is wrong in a request: where, and what."""

    where: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 200"])


class Problem(BaseModel):
    """Why a request was refused."""

    type: str = Field(description="a name of this sort of problem", examples=["urn:bonafide:request.not-there"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="what, why, and what to do", examples=["detection 0188: is not there (any more)."])
    code: str = Field(description="stable; a program may rely on it", examples=["request.not-there"])
    request_id: str = Field(description="under which the log has it", examples=["9f0c2d6b1f7a4f6e8a53c1f0a7be1d11"])
    errors: list[Wrong] = Field(default=[], description="of a request that is not as this document says")


def of(request: Request, error: Exception) -> Response:
    """Return the answer to a request that ended in an error; one that nobody foresaw says nothing of its inside."""
    if isinstance(error, RequestValidationError):
        wrong = [Wrong(where=".".join(map(str, one["loc"])), message=str(one["msg"])) for one in error.errors()]
        detail = "; ".join(f"{one.where}: {one.message}" for one in wrong[:5])
        return answer(request, 422, "request.invalid", detail, wrong=wrong)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "request.refused")
        return answer(request, error.status_code, code, str(error.detail), dict(error.headers or {}))
    if isinstance(error, BonafideError):
        return answer(request, status_of(error), error.code, str(error), _headers(error))
    return answer(request, 500, "bonafide", "Something went wrong here. The log has it under the request's id.")


def status_of(error: BonafideError) -> int:
    """Return the HTTP status of an error: that of the nearest class above it."""
    return next(_STATUSES[cls] for cls in type(error).__mro__ if cls in _STATUSES)


def answer(
    request: Request, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, wrong: list[Wrong] | None = None
) -> Response:
    """Return a problem."""
    problem = Problem(
        type=f"urn:bonafide:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=getattr(request.state, "request_id", ""),
        errors=wrong or [],
    )
    rate = getattr(request.state, "rate", {})
    return Response(problem.model_dump_json(), status, {**rate, **(headers or {})}, MEDIA_TYPE)


def _headers(error: BonafideError) -> dict[str, str]:
    if isinstance(error, LaterError):
        return {"Retry-After": str(error.wait_s)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, errors.CallerError) else {}
