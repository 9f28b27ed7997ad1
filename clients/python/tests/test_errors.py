from __future__ import annotations

import pickle
import re

import pytest

import siglip_hd_client
from conftest import REPOSITORY
from siglip_hd_client import OverloadedError, SiglipHdError, UnavailableError
from siglip_hd_client.errors import ERROR_CLASSES, service_error


def test_every_code_that_the_service_documents_has_a_class() -> None:
    page = (REPOSITORY / "docs" / "http.md").read_text()
    section = page[page.index("\n## Errors") :]
    section = section[: section.index("\n## ", 1)]
    documented = re.findall(r"^\| `(\w+)` \| \d{3} \|", section, re.MULTILINE)
    assert len(documented) > 10
    assert sorted(documented) == sorted(ERROR_CLASSES)


def test_every_error_class_can_be_imported_from_the_package() -> None:
    for error in ERROR_CLASSES.values():
        assert getattr(siglip_hd_client, error.__name__) is error


def test_a_code_that_is_newer_than_the_client_is_an_error_of_the_base_class_with_that_code() -> None:
    error = service_error("out_of_cheese", "Redo from start.", request_id="r1")
    assert type(error) is SiglipHdError
    assert str(error) == "out_of_cheese: Redo from start. (request r1)"


def test_an_error_has_code_sentence_request_and_time_to_wait() -> None:
    error = service_error("overloaded", "The queue is full.", request_id="r1", retry_after=1.5)
    assert isinstance(error, OverloadedError)
    assert (error.code, error.detail, error.request_id, error.retry_after) == (
        "overloaded",
        "The queue is full.",
        "r1",
        1.5,
    )


def test_errors_travel_between_processes() -> None:
    copy = pickle.loads(pickle.dumps(UnavailableError("stopping", request_id="r1", retry_after=2.0)))
    assert isinstance(copy, UnavailableError)
    assert (copy.detail, copy.request_id, copy.retry_after) == ("stopping", "r1", 2.0)


@pytest.mark.parametrize(
    ("name", "builtin"), [("CallTimeoutError", TimeoutError), ("ConnectionFailedError", ConnectionError)]
)
def test_timeouts_and_connection_errors_are_python_s_own_too(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(siglip_hd_client, name), builtin)
