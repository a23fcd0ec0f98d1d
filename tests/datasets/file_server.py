"""A server of files on this machine alone, which can misbehave as servers on the way do."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOST_SECONDS = 30  # of any one answer


class FileServer(ThreadingHTTPServer):
    """Serves bytes by path, and keeps what it was asked: (path, Range or "")."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.knows_ranges = True
        self.says_length = True
        self.cuts: dict[str, int] = {}  # how many of the next answers break off in the middle, by path
        self.status = 200  # of all answers
        self.seconds = 0.0  # that an answer takes

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    server = FileServer(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(MOST_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    timeout = MOST_SECONDS

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        content = self.server.files.get(self.path)
        if content is None or self.server.status != 200:
            self.send_error(404 if content is None else self.server.status)
            return
        begin = int(re.findall(r"bytes=(\d+)-", wanted)[0]) if wanted and self.server.knows_ranges else 0
        if begin >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if self.server.says_length:
            self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        self._send(content[begin:])

    def _send(self, content: bytes) -> None:
        if self.server.cuts.get(self.path):
            self.server.cuts[self.path] -= 1
            content = content[: len(content) // 2]
        step = max(1, len(content) // 10)
        with suppress(ConnectionError):  # who asked has gone
            for begin in range(0, len(content), step):
                self.wfile.write(content[begin : begin + step])
                time.sleep(self.server.seconds / 10)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
