"""HTTP as far as a hostile or broken server cannot misuse it: bounded bodies, no foreign hosts, secrets unseen

Whatever a server sends is read up to a limit and no further, a redirect to another host is refused before anything
is sent there, and a failure becomes one of three: `Trouble` (wait, ask again), `Untrusted` (the reply is wrong, ask
again), `Refused` (asking again would not help). aiohttp does HTTP; it is told to follow, unpack and look up nothing.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from s1_contract.printing import show
from s1_contract.redaction import redact_text, remember
from s1_models.driver import EngineError
from s1_models.engines.openai.patience import PASSING_STATUSES, Trouble, Untrusted, retry_after
from s1_models.options import OptionError

try:
    import aiohttp
    from aiohttp import http_exceptions
except ImportError as missing:
    raise EngineError(f'{missing.name} is not installed: pip install "lm-eval-s1[openai]"') from missing

CONNECT_SECONDS = 10.0
LONGEST_ERROR_BYTES = 2**16
LONGEST_LIST_BYTES = 2**24
_LONGEST_REDIRECT = 3

NETWORK_ERRORS = (aiohttp.ClientError, http_exceptions.HttpProcessingError, OSError, EOFError, TimeoutError, ValueError)
"""What aiohttp lets out for a connection that failed; a ValueError for a header or an address that it cannot read."""


class Refused(EngineError):
    """A request that the server does not take (4xx), or answers unusably however often it is asked.

    status: of HTTP, 0 where none came.
    """

    def __init__(self, message: str, *, key: Any = None, status: int = 0) -> None:
        super().__init__(message, key=key)
        self.status = status


def split_address(base_url: str) -> tuple[str, str]:
    """The address without user and password, and the Authorization header that they make ("" for none).

    Raises OptionError for what is no http address.
    """
    try:
        parts = urlsplit(base_url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise OptionError(f"base_url={show(redact_text(base_url))}: not an address ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise OptionError(
            f"base_url={show(redact_text(base_url))}: expected http://HOST:PORT/v1/... or https://HOST/v1/..."
        )
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    address = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), parts.query, ""))
    if parts.username is None:
        return address, ""
    password = unquote(parts.password or "")
    remember(password)
    pair = f"{unquote(parts.username)}:{password}".encode()
    return address, f"Basic {base64.b64encode(pair).decode()}"


def proxy_for(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for an address; never one for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not proxy.startswith(("http://", "https://")):
        raise OptionError(f"the proxy {redact_text(proxy)} is not an http:// one: set {parts.scheme.upper()}_PROXY")
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_session(headers: Mapping[str, str], verify: bool | ssl.SSLContext) -> aiohttp.ClientSession:
    """Pooled connections with these headers; call it in the event loop's thread. Time limits are the caller's."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=verify),  # `Pace` bounds how many there are
        headers={"Accept-Encoding": "identity", "User-Agent": "lm-eval-s1", **headers},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        auto_decompress=False,  # a few bytes could become gigabytes
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # proxies come from proxy_for; ~/.netrc is not read
    )


def follow(url: str, response: aiohttp.ClientResponse) -> str | None:
    """Where a redirect leads, on the same host; None when it is none. Raises Refused for another host."""
    if response.status not in (301, 302, 303, 307, 308):
        return None
    there = urljoin(url, response.headers.get("Location", ""))
    named = show(redact_text(there))
    if _origin(there) != _origin(url):
        raise Refused(
            f"{url} redirects to {named}, another host: nothing was sent there; if that is the right server, give its "
            f"address as base_url",
            status=response.status,
        )
    if response.status not in (307, 308) or there == url:
        raise Refused(f"{url} redirects to {named}: give that address as base_url", status=response.status)
    return there


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None


async def post(http: aiohttp.ClientSession, url: str, body: object) -> aiohttp.ClientResponse:
    """Sends a JSON body; follows redirects on the same host. The caller closes the response."""
    for _ in range(_LONGEST_REDIRECT):
        response = await http.post(url, json=body, allow_redirects=False, proxy=proxy_for(url))
        try:
            there = follow(url, response)
        except Refused:
            response.close()
            raise
        if there is None:
            return response
        response.close()
        url = there
    raise Refused(f"{url} redirects again and again: give the address it should lead to as base_url")


async def get(http: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
    """Asks for what is at an address; a redirect is refused. The caller closes the response."""
    response = await http.get(url, allow_redirects=False, proxy=proxy_for(url))
    try:
        if there := follow(url, response):
            raise Refused(f"{url} redirects to {show(redact_text(there))}: give that address as base_url")
    except Refused:
        response.close()
        raise
    return response


async def check_status(response: aiohttp.ClientResponse, url: str) -> None:
    """Returns for a reply with status 200. Raises Trouble, or Refused with what the server said."""
    if response.status == 200:
        return
    said = error_text((await read_some(response, LONGEST_ERROR_BYTES)).decode(errors="replace"))
    reason = f"{response.status}, {said}" if said else str(response.status)
    if response.status >= 500 or response.status in PASSING_STATUSES:
        raise Trouble(reason, status=response.status, retry_after=retry_after(response.headers))
    advice = "the key is missing or wrong: set OPENAI_API_KEY. " if response.status in (401, 403) else ""
    if response.status == 407:
        advice = "the proxy wants a user and a password: set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT. "
    raise Refused(f"{url} refused a request: {advice}{reason}", status=response.status)


def error_text(body: str) -> str:
    """What an error body says, in a line of at most 300 characters that is safe to print and holds no secret."""
    try:
        said = parse(body.encode())
    except Untrusted:
        said = body
    for name in ("error", "message", "detail"):
        said = said.get(name, said) if isinstance(said, Mapping) else said
    return show(redact_text(" ".join(str(said)[:2000].split())[:300]))


async def read_some(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The first `most` bytes of a body."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) >= most:
            response.close()
            break
    return bytes(body[:most])


async def read_json(response: aiohttp.ClientResponse, most: int) -> Any:
    """A whole JSON body of less than `most` bytes. Raises Untrusted."""
    body = await read_some(response, most)
    if len(body) >= most:
        raise Untrusted(f"a body of more than {most:,} bytes")
    return parse(body)


def parse(data: bytes) -> Any:
    """JSON of any depth and kind. Raises Untrusted for what is none, or is nested so deep that nobody means it."""
    try:
        return json.loads(data)
    except RecursionError:
        raise Untrusted(f"JSON that is nested too deep: {_beginning(data)}") from None
    except ValueError as error:
        raise Untrusted(f"{type(error).__name__}, not JSON: {_beginning(data)}") from None


def _beginning(data: bytes) -> str:
    return show(redact_text(data[:80].decode(errors="replace")))


async def events(response: aiohttp.ClientResponse, longest: int) -> AsyncIterator[Any]:
    """The JSON values of a stream of server-sent events up to [DONE], or the one value of a JSON body.

    longest: bytes of a line, and of a body that is not a stream. Raises Untrusted.
    """
    if response.content_type == "application/json":
        yield await read_json(response, longest)
        return
    async for line in _lines(response, longest):
        if line.startswith(b"data:"):
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            if data:
                yield parse(data)


async def _lines(response: aiohttp.ClientResponse, longest: int) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in response.content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > longest or any(len(line) > longest for line in lines):
            raise Untrusted(f"a line of more than {longest:,} bytes")
        for line in lines:
            yield line
    if rest:
        yield rest


def reason(error: Exception) -> str:
    """What went wrong, in a line: some of these errors have no text of their own."""
    return show(redact_text(f"{type(error).__name__}: {error}".removesuffix(": ")))


def of_certificates(error: BaseException) -> str:
    """The cure for a connection that failed because of certificates or TLS; "" for any other."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            "its certificate is not trusted here: give ca_cert_path=FILE with the certificate of who signed it, or "
            "verify_certificate=false for a server that you trust anyway"
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return "it does not speak TLS as asked: is it an http:// address?"
    return ""
