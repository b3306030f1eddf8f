"""An httpx transport over aiohttp's connections, which cost a seventh of the CPU of httpx's own at a hundred calls.

It keeps no cookies, follows no redirect, inflates nothing, has no time limits of its own, and goes through the proxy
that `Proxies` names. Errors come as aiohttp raises them: `Exchange` makes them outcomes.
"""

import ssl
from collections.abc import AsyncIterator
from functools import cache

import aiohttp
import httpx
from yarl import URL

from connectors.http.proxies import Proxies

KEEP_ALIVE = 5.0  # seconds that an idle connection is kept
NO_LIMIT = 0  # as aiohttp writes it
_CHUNK = 16_384
_PART = 65_536


class Transport(httpx.AsyncBaseTransport):
    """Connects on the first request.

    Args:
        urls: what will be asked; raises ConfigurationError when the environment's proxy for one cannot be used.
        connections: most at a time; more requests wait, within their deadlines.
    """

    def __init__(self, *urls: str, connections: int = NO_LIMIT, proxies: Proxies | None = None) -> None:
        self._connections = connections
        self._proxies = proxies or Proxies()
        self._leads: dict[tuple[str, bytes], str | None] = {}  # origin -> the proxy to it
        self._session: aiohttp.ClientSession | None = None
        for url in urls:
            self._proxies.of(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; return when its answer's head has come."""
        if self._session is None:
            self._session = self._opened()
        url = str(request.url)
        origin = request.url.scheme, request.url.netloc
        if origin not in self._leads:
            self._leads[origin] = self._proxies.of(url)
        proxy = self._leads[origin]
        response = await self._session.request(
            request.method,
            URL(url, encoded=True),
            headers=request.headers.multi_items(),
            data=_in_parts(request.content) if len(request.content) > _PART else request.content or None,
            allow_redirects=False,
            compress=False,
            proxy=proxy,
            ssl=_tls() if "https" in {request.url.scheme, (proxy or "").partition(":")[0]} else True,
        )
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response), request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        # A PUT whose answer was lost may have been taken: whoever sent it finds that out, and aiohttp must not send it
        # again by itself. There is no public switch.
        session._retry_connection = False  # noqa: SLF001
        return session


@cache
def _tls() -> ssl.SSLContext:
    """Read the certificate authorities, once in a process: it takes 30 ms."""
    return httpx.create_ssl_context()


async def _in_parts(content: bytes) -> AsyncIterator[bytes]:
    """Give a large body piece by piece: given whole, all of it would lie in the socket's buffer a second time."""
    for at in range(0, len(content), _PART):
        yield content[at : at + _PART]


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_chunked(_CHUNK):
            yield chunk

    async def aclose(self) -> None:
        """Keep the connection if all was read, cut it otherwise. Waits for nothing that the peer could hold up."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
