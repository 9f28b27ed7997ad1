from __future__ import annotations

import pytest

from scripted import ScriptedFactory, reply
from siglip_hd_client import (
    CallTimeoutError,
    ConnectionFailedError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    OverloadedError,
    UnavailableError,
    UnexpectedAnswerError,
)


def test_an_overloaded_call_is_tried_again_when_the_service_expects_to_have_room(scripted: ScriptedFactory) -> None:
    s = scripted(OverloadedError("full", retry_after=1.25), reply())
    assert s.run(s.client.encode(b"image")).shape == (4, 2)
    assert s.timeline.waits_s == [1.25]


def test_the_wait_the_service_asks_for_is_never_shortened_and_up_to_a_quarter_longer(
    scripted: ScriptedFactory,
) -> None:
    s = scripted(OverloadedError("full", retry_after=2.0), reply(), chance=1.0)
    s.run(s.client.encode(b"image"))
    assert s.timeline.waits_s == [2.5]


def test_without_a_time_to_wait_it_is_half_a_second_doubled_with_each_retry_up_to_eight(
    scripted: ScriptedFactory,
) -> None:
    s = scripted(*[UnavailableError("stopping")] * 6, reply(), max_retries=6)
    s.run(s.client.encode(b"image"))
    assert s.timeline.waits_s == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_that_wait_is_up_to_a_quarter_shorter_by_chance(scripted: ScriptedFactory) -> None:
    s = scripted(ConnectionFailedError("refused"), reply(), chance=1.0)
    s.run(s.client.encode(b"image"))
    assert s.timeline.waits_s == [0.375]


def test_a_call_that_keeps_failing_raises_its_last_error_after_two_retries(scripted: ScriptedFactory) -> None:
    s = scripted(UnavailableError("one"), ConnectionFailedError("two"), InternalError("three"), reply())
    with pytest.raises(InternalError, match="three"):
        s.run(s.client.encode(b"image"))
    assert len(s.script.calls) == 3


def test_max_retries_is_a_call_s_own_a_client_s_or_two(scripted: ScriptedFactory) -> None:
    s = scripted(UnavailableError("down"), max_retries=1)
    for options, tries in (({}, 2), ({"max_retries": 0}, 1), ({"max_retries": 4}, 5)):
        s.script.calls.clear()
        with pytest.raises(UnavailableError):
            s.run(s.client.encode(b"image", **options))
        assert len(s.script.calls) == tries


@pytest.mark.parametrize(
    "error",
    [InvalidArgumentError("no image"), DeadlineExceededError("too slow"), UnexpectedAnswerError("HTML", status=404)],
)
def test_an_error_that_stays_is_raised_at_once(scripted: ScriptedFactory, error: Exception) -> None:
    s = scripted(error, reply())
    with pytest.raises(type(error)):
        s.run(s.client.encode(b"image"))
    assert s.timeline.waits_s == []


def test_a_service_that_asks_for_more_than_two_minutes_is_not_waited_for(scripted: ScriptedFactory) -> None:
    s = scripted(OverloadedError("full", retry_after=121.0), reply())
    with pytest.raises(OverloadedError) as caught:
        s.run(s.client.encode(b"image"))
    assert caught.value.retry_after == 121.0
    assert s.timeline.waits_s == []


def test_a_proxy_s_error_page_is_tried_again_where_its_status_may_pass(scripted: ScriptedFactory) -> None:
    s = scripted(UnexpectedAnswerError("bad gateway", status=502, is_transient=True), reply())
    assert s.run(s.client.encode(b"image")).shape == (4, 2)


def test_every_try_is_told_what_is_left_of_the_timeout(scripted: ScriptedFactory) -> None:
    s = scripted(OverloadedError("full", retry_after=3.0), OverloadedError("full", retry_after=4.0), reply())
    s.run(s.client.encode(b"image", timeout=10.0))
    assert s.script.timeouts_s == [10.0, 7.0, 3.0]


def test_a_wait_that_would_outlast_the_timeout_is_not_begun(scripted: ScriptedFactory) -> None:
    s = scripted(OverloadedError("full", retry_after=3.0), reply())
    with pytest.raises(OverloadedError):
        s.run(s.client.encode(b"image", timeout=3.0))
    assert s.timeline.waits_s == []


def test_a_timeout_of_nothing_fails_before_anything_is_sent(scripted: ScriptedFactory) -> None:
    s = scripted(reply())
    with pytest.raises(CallTimeoutError) as caught:
        s.run(s.client.encode(b"image", timeout=0))
    assert isinstance(caught.value, TimeoutError)
    assert s.script.calls == []


def test_without_a_timeout_a_call_may_take_for_ever(scripted: ScriptedFactory) -> None:
    s = scripted(UnavailableError("starting"), reply())
    s.run(s.client.encode(b"image", timeout=None))
    assert s.script.timeouts_s == [None, None]


def test_plans_and_models_are_retried_like_encodes(scripted: ScriptedFactory) -> None:
    s = scripted(UnavailableError("starting"))
    with pytest.raises(UnavailableError):
        s.run(s.client.plan(640, 480))
    assert len(s.script.calls) == 3
    with pytest.raises(UnavailableError):
        s.run(s.client.models())
    assert len(s.script.calls) == 6


def test_all_tries_of_a_call_have_one_request_id(scripted: ScriptedFactory) -> None:
    s = scripted(UnavailableError("starting"), reply())
    s.run(s.client.encode(b"image"))
    first, second = (call.terms.request_id for call in s.script.calls)
    assert first == second
    s.run(s.client.encode(b"image"))
    assert s.script.calls[-1].terms.request_id != first


def test_a_client_with_other_options_leaves_the_first_as_it_is(scripted: ScriptedFactory) -> None:
    s = scripted(reply(), timeout=50.0)
    s.run(s.client.with_options(timeout=5.0).encode(b"image"))
    s.run(s.client.encode(b"image"))
    assert s.script.timeouts_s == [5.0, 50.0]
