"""A small asset behind a real HTTP server on the loopback address, which can misbehave in the ways servers do."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from declaim.assets import ASSETS, Asset, AssetFile
from declaim.assets import web as web_module
from declaim.assets.manifest import Source, Web

CONTENT = np.random.default_rng(0).bytes(300_000)


class Server:
    """Serves ``files``; every GET is noted in ``requests`` as (path, Range header)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/toy.bin": CONTENT}
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        """Break each connection after so many bytes of content."""
        self.ranges = True
        self.statuses: list[int] = []
        """Answers to the next requests, before any content is served."""
        self.skew = 0
        """Answer ranges from so many bytes later than asked."""
        self.pause_s = 0.0
        self.trailing = b""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def address(self, path: str = "/toy.bin") -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.requests.append((self.path, wanted))
            if server.statuses:
                self.send_error(server.statuses.pop(0))
                return
            if self.path not in server.files:
                self.send_error(404)
                return
            content = server.files[self.path] + server.trailing
            start = 0
            if wanted and server.ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-")) + server.skew
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for at in range(0, len(body) if server.cut_after is None else min(server.cut_after, len(body)), 20_000):
                end = at + 20_000 if server.cut_after is None else min(at + 20_000, server.cut_after)
                try:
                    self.wfile.write(body[at:end])
                except OSError:
                    break  # the client was killed or has heard enough
                time.sleep(server.pause_s)
            self.close_connection = True

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(web_module, "_PAUSE_S", 0.0)
    running = Server()
    yield running
    running.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "home with spaces"
    monkeypatch.setenv("DECLAIM_HOME", str(folder))
    return folder


@pytest.fixture
def add_asset(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asset]:
    """Adds an asset of one file (``CONTENT``), or of several, to the manifest."""

    def add(*sources: Source, content: bytes = CONTENT, extra: tuple[AssetFile, ...] = ()) -> Asset:
        file = AssetFile("toy.bin", len(content), hashlib.sha256(content).hexdigest(), sources)
        asset = Asset("toy", "being tested", "CC0-1.0", "this test", False, (file, *extra))
        monkeypatch.setitem(ASSETS, "toy", asset)
        return asset

    return add


@pytest.fixture
def toy(server: Server, add_asset: Callable[..., Asset]) -> Asset:
    """The asset ``toy``, served by ``server``."""
    return add_asset(Web(server.address()))


@pytest.fixture
def place(home: Path) -> Path:
    """Where the file of ``toy`` ends up."""
    return home / "assets" / "toy" / "toy.bin"
