# SPDX-License-Identifier: Apache-2.0
"""A file server that knows ranges: range_server.py DIRECTORY PORTFILE. A line for each answer on stderr: status, path, bytes.

Beside a FILE there may be FILE.sick, with a status and header lines: that is what is answered then.
"""
import http.server
import os
import re
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = os.path.join(sys.argv[1], self.path.lstrip("/"))
        if os.path.isfile(path + ".sick"):
            with open(path + ".sick", encoding="ascii") as f:
                status, *headers = f.read().splitlines()
            self.answer(int(status), b"", **dict(h.split(": ") for h in headers))
            return
        if not os.path.isfile(path):
            self.answer(404, b"")
            return
        with open(path, "rb") as f:
            whole = f.read()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            self.answer(200, whole)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(whole)), len(whole) - 1)
        if first > last:
            self.answer(416, b"", **{"Content-Range": "bytes */%d" % len(whole)})
            return
        self.answer(206, whole[first:last + 1], **{"Content-Range": "bytes %d-%d/%d" % (first, last, len(whole))})

    def answer(self, status, body, **headers):
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            pass
        print(status, self.path, len(body), file=sys.stderr, flush=True)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[2] + ".new", "w", encoding="ascii") as port:
    print(server.server_port, file=port)
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
