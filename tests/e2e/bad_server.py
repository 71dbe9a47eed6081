# SPDX-License-Identifier: Apache-2.0
"""A web server with a bad character, for tests: bad_server.py FILE PORTFILE [CERT KEY]. PORT in the environment: that one.

The first part of the path says how it behaves, the rest is a free name that keeps counters apart:
/KIND/ARGUMENT/NAME. Each request is logged on stderr as `METHOD PATH Range If-Range`.

PATCH=FILE in the environment: what is served where `.patches/` is in the path, and how that behaves stands behind what the
artifact does: /KIND/ARGUMENT/PATCHKIND/PATCHARGUMENT/NAME. LIMIT=BYTES: after so many of kind_paced the server is gone, as soon as
four requests are under way.
"""
import http.server
import os
import re
import ssl
import sys
import threading
import time

DATA = open(sys.argv[1], "rb").read()
PATCH = open(os.environ["PATCH"], "rb").read() if "PATCH" in os.environ else None
LIMIT = int(os.environ.get("LIMIT", 0))
lock = threading.Lock()
count = {}
out = {}
stuck = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    data = DATA
    under_way = 0

    def setup(self):
        super().setup()
        self.born = time.monotonic()

    def log_message(self, *args):
        pass

    def head(self, status, length, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def range(self):
        m = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if not m:
            return None
        return int(m.group(1)), min(int(m.group(2) or len(self.data)) + 1, len(self.data))

    def serve(self, data=None, etag='"one"', cut=None, ranges=True, first=0, **more):
        """All of it, or the range; at most CUT bytes of the body, then the line goes dead."""
        data = self.data if data is None else data
        want = self.range() if ranges else None
        if etag:
            more["ETag"] = etag
        if want:
            lo, hi = want
            body = data[lo:hi]
            self.head(206, len(body), Content_Range=f"bytes {lo + first}-{hi - 1 + first}/{len(data)}", **more)
        else:
            body = data
            self.head(200, len(body), **more)
        if cut is not None and cut < len(body):
            self.wfile.write(body[:cut])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)

    def do_GET(self):
        # In one write, or lines of two threads would mix.
        sys.stderr.write("%s %s %s %s\n" % (self.command, self.path, self.headers.get("Range", "-"),
                                            self.headers.get("If-Range", "-")))
        # A proxy gets the whole URL; this one plays the server behind it too.
        words = re.sub("^http://[^/]*", "", self.path).strip("/").split("/")
        of_patch = PATCH is not None and ".patches/" in self.path
        self.data = PATCH if of_patch else DATA
        kind, arg = words[2:4] if of_patch else words[:2]
        n = count[self.path] = count.get(self.path, 0) + 1
        try:
            getattr(self, "kind_" + kind)(arg, n)
        except (BrokenPipeError, ConnectionResetError, ValueError):
            self.close_connection = True

    def kind_good(self, arg, n):
        self.serve()

    def kind_flaky(self, arg, n):
        """Each ARG-th answer breaks off in the middle."""
        want = self.range()
        self.serve(cut=(want[1] - want[0]) // 2 if n % int(arg) == 0 else None)

    def kind_once(self, arg, n):
        """That answer breaks off in the middle."""
        want = self.range()
        self.serve(cut=(want[1] - want[0]) // 2 if n == int(arg) else None)

    def kind_flip(self, arg, n):
        """Ranges for so many requests, then none any more."""
        self.serve(ranges=n <= int(arg))

    def kind_other(self, arg, n):
        """Other bytes than the file's from there on."""
        self.serve(data=self.data[:int(arg)] + bytes(b ^ 1 for b in self.data[int(arg):]))

    def kind_short(self, arg, n):
        """The file ends there, and nothing tells that there was more."""
        self.data = self.data[:int(arg)]
        self.serve()

    def kind_bit(self, arg, n):
        """One bit of that byte is another one."""
        at = int(arg)
        self.serve(data=self.data[:at] + bytes([self.data[at] ^ 1]) + self.data[at + 1:])

    def kind_weak(self, arg, n):
        self.serve(etag='W/"one"', cut=int(arg), Last_Modified="Sun, 01 Feb 2026 00:00:00 GMT")

    def kind_drop(self, arg, n):
        self.serve(cut=int(arg))

    def kind_dropnorange(self, arg, n):
        self.serve(cut=int(arg) * n, ranges=False)

    def kind_norange(self, arg, n):
        self.serve(ranges=False)

    def kind_chunked(self, arg, n):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(0, len(self.data), 50000):
            part = self.data[i:i + 50000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def kind_lie(self, arg, n):
        """Bytes of another place than asked for, honestly named."""
        self.serve(first=0 if n == 1 else int(arg))

    def kind_norangeheader(self, arg, n):
        lo, hi = self.range()
        self.head(206, hi - lo)
        self.wfile.write(self.data[lo:hi])

    def kind_change(self, arg, n):
        """Another file from the second request on, by ETag, Last-Modified or length."""
        if arg == "etag":
            self.serve(etag='"one"' if n == 1 else '"two"', cut=200000)
        elif arg == "modified":
            self.serve(etag=None, cut=200000,
                       Last_Modified=f"Sun, 0{min(n, 2)} Feb 2026 00:00:00 GMT")
        elif arg == "whole":
            self.serve(etag='"one"' if n == 1 else '"two"', cut=200000, ranges=n == 1)
        else:
            self.serve(data=self.data if n == 1 else self.data[:-1], etag=None, cut=200000)

    def kind_turn(self, arg, n):
        """Another file from that request on."""
        self.serve(etag='"one"' if n < int(arg) else '"two"')

    def kind_status(self, arg, n):
        self.head(int(arg), 5, Location="/good/0/0")
        self.wfile.write(b"body\n")

    def kind_later(self, arg, n):
        status, times, wait = arg.split(",")
        if n <= int(times):
            self.head(int(status), 0, Retry_After=wait)
        else:
            self.serve()

    def kind_redirect(self, arg, n):
        """So many times, then the file."""
        to = f"/redirect/{int(arg) - 1}/0" if int(arg) > 1 else "/good/0/0"
        self.head(302, 0, Location=to)

    def kind_away(self, arg, n):
        self.head(302, 0, Location=bytes.fromhex(arg).decode())

    def kind_gzip(self, arg, n):
        self.serve(Content_Encoding="gzip")

    def kind_slow(self, arg, n):
        self.head(200, len(self.data))
        for i in range(200):
            self.wfile.write(self.data[i:i + 1])
            self.wfile.flush()
            time.sleep(0.2)

    def kind_thin(self, arg, n):
        """After the first answer so many bytes a second for each."""
        if n == 1:
            self.serve()
            return
        lo, hi = self.range()
        self.head(206, hi - lo, Content_Range=f"bytes {lo}-{hi - 1}/{len(DATA)}", ETag='"one"')
        for at in range(lo, hi, int(arg) // 10):
            self.wfile.write(DATA[at:min(hi, at + int(arg) // 10)])
            self.wfile.flush()
            time.sleep(0.1)

    def kind_hang(self, arg, n):
        """The file up to there, and then nothing."""
        lo, hi = self.range()
        self.head(206, hi - lo, Content_Range=f"bytes {lo}-{hi - 1}/{len(self.data)}", ETag='"one"')
        self.wfile.write(self.data[lo:min(hi, int(arg))])
        self.wfile.flush()
        if hi > int(arg):
            time.sleep(60)

    def pieces(self, size):
        """The range that was asked for, so many bytes at a time."""
        lo, hi = self.range()
        self.head(206, hi - lo, Content_Range=f"bytes {lo}-{hi - 1}/{len(self.data)}", ETag='"one"')
        for at in range(lo, hi, size):
            yield self.data[at:min(at + size, hi)]

    def kind_stuck(self, arg, n):
        """When so many bytes have gone out, each connection that is there is dead without a word; later ones work."""
        def wait():
            with lock:
                if out.setdefault(self.path, 0) >= int(arg):
                    stuck.setdefault(self.path, time.monotonic())
            if self.born < stuck.get(self.path, 0):
                sys.stderr.write("stuck\n")
                time.sleep(60)
        wait()
        for piece in self.pieces(4096):
            wait()
            with lock:
                out[self.path] += len(piece)
            self.wfile.write(piece)
            self.wfile.flush()

    def kind_paced(self, arg, n):
        """So many bytes each 10 ms and connection."""
        with lock:
            Handler.under_way += 1
        try:
            for piece in self.pieces(int(arg)):
                with lock:
                    out["paced"] = out.get("paced", 0) + len(piece)
                    if 0 < LIMIT < out["paced"] and Handler.under_way > 3:
                        sys.stderr.write(f"gone with {Handler.under_way} requests under way, after {out['paced']} bytes\n")
                        os._exit(0)
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(0.01)
        finally:
            with lock:
                Handler.under_way -= 1

    def kind_silent(self, arg, n):
        time.sleep(60)

    def kind_headers(self, arg, n):
        self.send_response(200)
        for i in range(3000):
            self.send_header(f"X-{i}", "y" * 60)
        self.end_headers()

    def kind_more(self, arg, n):
        """A body longer than its range."""
        lo, hi = self.range()
        self.head(206, None, Content_Range=f"bytes {lo}-{hi - 1}/{len(self.data)}", Connection="close")
        self.wfile.write(self.data[lo:hi] + b"more")
        self.close_connection = True

    def kind_garbage(self, arg, n):
        self.wfile.write(b"SSH-2.0-nothing\r\n")
        self.close_connection = True

    def kind_empty(self, arg, n):
        self.head(int(arg), 0)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 0))), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[3], sys.argv[4])
    if len(sys.argv) > 5:
        tls.load_verify_locations(sys.argv[5])
        tls.verify_mode = ssl.CERT_REQUIRED
    server.socket = tls.wrap_socket(server.socket, server_side=True)
with open(sys.argv[2], "w") as f:
    f.write(f"{server.server_port}\n")
server.serve_forever()
