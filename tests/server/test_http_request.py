"""A page is sent no faster than it is read, and one that breaks off is cut off."""

import asyncio
from unittest.mock import Mock

import pytest

from powerlog.server import http_request
from powerlog.server.http_request import PageRequest


@pytest.fixture
def page() -> PageRequest:
    """A request for a page whose answer has begun."""
    request = PageRequest(Mock(), False)
    request.registerProducer = request.unregisterProducer = Mock()
    request._response_started = True
    return request


def is_cut_off(page: PageRequest) -> bool:
    return page.channel.transport.abortConnection.called


async def test_an_answer_waits_until_what_was_said_of_it_is_read(page: PageRequest) -> None:
    await page.wait_for_reader()  # the transport has taken everything so far
    page.pauseProducing()
    waiting = asyncio.ensure_future(page.wait_for_reader())
    await asyncio.sleep(0)
    assert not waiting.done()
    page.resumeProducing()
    await waiting
    assert not is_cut_off(page)


async def test_who_goes_while_an_answer_waits_is_not_waited_for(page: PageRequest) -> None:
    page.pauseProducing()
    waiting = asyncio.ensure_future(page.wait_for_reader())
    await asyncio.sleep(0)
    page.stopProducing()
    waiting.cancel()  # as Django does then, at the same moment
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_reader_that_takes_nothing_for_long_is_cut_off(
    page: PageRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_request, "READER_LIMIT_S", 0.01)
    page.pauseProducing()
    await page.wait_for_reader()
    assert is_cut_off(page)


@pytest.mark.parametrize("finished", [0, 1])
async def test_an_answer_whose_end_was_never_said_is_cut_off(
    page: PageRequest, finished: int
) -> None:
    page.finished = finished
    page.answered(asyncio.get_running_loop().create_future())
    assert is_cut_off(page) is not bool(finished)
    page.channel = None  # the connection is lost
    page.answered(asyncio.get_running_loop().create_future())
