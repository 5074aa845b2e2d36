"""Test the exception tree: stable codes, the message, and which errors are retryable."""

import pickle

from realframe import errors
from realframe.errors import EmptyFileError, RealframeError, is_retryable_code
from realframe.web import request_errors
from realframe.web.request_errors import RateLimitError


def all_classes(error_class: type[RealframeError] = RealframeError) -> list[type[RealframeError]]:
    return [error_class, *(below for child in error_class.__subclasses__() for below in all_classes(child))]


def test_every_error_has_its_own_code_and_states_subject_reason_and_hint() -> None:
    codes = [error_class.code for error_class in all_classes()]
    assert len(codes) == len(set(codes))
    assert str(EmptyFileError("a.mp4", "has 0 bytes", "Export it again.")) == "a.mp4: has 0 bytes. Export it again."


def test_the_docstring_lists_every_error_with_its_code_and_whether_it_is_retryable() -> None:
    lines = [
        line.replace("│", " ").replace("├──", " ").replace("└──", " ").split()
        for line in f"{errors.__doc__}{request_errors.__doc__}".splitlines()
    ]
    listed = {words[0]: words[1:] for words in lines if words and words[0].endswith("Error") and words[1] != "(in"}
    for error_class in all_classes():
        star, code = ("*" in listed[error_class.__name__][:1]), error_class.code
        assert (star, code in listed[error_class.__name__]) == (error_class.is_retryable, True), error_class
    assert len(listed) == len(all_classes())


def test_a_code_tells_whether_its_error_is_retryable() -> None:
    for error_class in all_classes():
        assert is_retryable_code(error_class.code) == error_class.is_retryable
    assert not is_retryable_code("no-such-code")


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(RateLimitError("ann", "sends too many requests", "Wait.", 7)))
    assert (str(error), error.wait_s) == ("ann: sends too many requests. Wait.", 7)
