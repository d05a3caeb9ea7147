"""A web server to download from."""

import http.server
import re
import threading

import pytest
from preparations import PAYLOAD


@pytest.fixture
def server():
    """A web server on this machine: `files` {path: bytes}; `breaks` {path: bytes after which the
    connection ends, once}; `ranges` it honours or not; `asked` [(path, Range)]."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append((self.path, self.headers.get("Range")))
            if self.path not in server.files:
                self.send_error(404)
                return
            content = server.files[self.path]
            first = 0
            if self.headers.get("Range") and server.ranges:
                fresh = self.headers.get("If-Range") in (None, server.version)
                first = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1]) if fresh else 0
            if first >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(content) - first))
            self.send_header("ETag", server.version)
            if first:
                self.send_header(
                    "Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}"
                )
            self.end_headers()
            self.wfile.write(content[first : server.breaks.pop(self.path, None)])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.breaks, server.asked = {"/a.zip": PAYLOAD}, {}, []
    server.ranges, server.version = True, '"1"'
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
