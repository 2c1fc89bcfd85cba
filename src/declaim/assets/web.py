"""One file over HTTP, resumed where it broke off."""

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from declaim.assets.cache import OnBytes
from declaim.errors import AssetError

_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 30.0
_TRIES = 4
_MOST_REQUESTS = 100
_PAUSE_S = 0.5

_NETWORK_FAULTS = (OSError, http.client.HTTPException)


def download(address: str, partial: Path, n_bytes: int, on_bytes: OnBytes) -> None:
    """Bring ``partial`` up to ``n_bytes`` bytes from ``address``, going on from what it already holds.

    A connection that breaks is taken up again (with a ``Range`` request) as long as something arrives, and otherwise
    a few times. The content is not judged here.

    Raises:
        AssetError: the address cannot be reached, does not have the file, or sends something of another size.
        OSError: the local disk fails.
    """
    fruitless, asked = 0, 0
    while (held := _size(partial)) != n_bytes:
        if held > n_bytes:
            partial.unlink()
            continue
        try:
            asked += 1
            _advance(address, partial, held, n_bytes, on_bytes)
        except _Broken as fault:
            fruitless = 0 if _size(partial) > held else fruitless + 1
            if fault.final or fruitless >= _TRIES or asked >= _MOST_REQUESTS:
                raise AssetError(f"{address}: {fault}") from fault
            time.sleep(_PAUSE_S * fruitless)


class _Broken(Exception):
    """The network failed; ``final`` when asking again is pointless."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def _advance(address: str, partial: Path, held: int, n_bytes: int, on_bytes: OnBytes) -> None:
    """One request: append what arrives. Ends early without an error when the connection closes early."""
    headers = {"User-Agent": "declaim", "Accept-Encoding": "identity"}
    if held:
        headers["Range"] = f"bytes={held}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink(missing_ok=True)  # the server's file ends before our beginning does
                raise _Broken("the server cannot go on from the part that is here") from error
            transient = error.code >= 500 or error.code in (http.HTTPStatus.REQUEST_TIMEOUT, 429)
            raise _Broken(f"the server answered {error.code} {error.reason}", final=not transient) from error
    except urllib.error.URLError as error:
        late = isinstance(error.reason, TimeoutError)
        raise _Broken(f"cannot be reached ({_reason(error)})", final=not late) from error
    except _NETWORK_FAULTS as error:
        raise _Broken(f"cannot be reached ({_reason(error)})") from error
    with response:
        continued = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if continued and not _starts_at(response, held):
            partial.unlink(missing_ok=True)
            raise _Broken("the server went on from another place than asked")
        with partial.open("ab" if continued else "wb") as stream:
            _receive(response, stream, held if continued else 0, n_bytes, on_bytes)


def _receive(response: http.client.HTTPResponse, stream: BinaryIO, done: int, n_bytes: int, on_bytes: OnBytes) -> None:
    on_bytes(done, n_bytes)
    while True:
        try:
            block = response.read1(_BLOCK_BYTES)
        except _NETWORK_FAULTS as error:
            raise _Broken(f"the connection broke after {done} of {n_bytes} bytes ({_reason(error)})") from error
        if not block:
            break
        done += len(block)
        if done > n_bytes:
            raise _Broken(f"it is longer than the {n_bytes} bytes expected", final=True)
        stream.write(block)
        on_bytes(done, n_bytes)
    if done == 0 or done < n_bytes:
        raise _Broken(f"the connection ended after {done} of {n_bytes} bytes")


def _starts_at(response: http.client.HTTPResponse, position: int) -> bool:
    """Whether a partial answer begins where we asked; some servers count from elsewhere."""
    unit, _, rest = (response.headers.get("Content-Range") or "").partition(" ")
    return unit == "bytes" and rest.partition("-")[0] == str(position)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None) or error
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
