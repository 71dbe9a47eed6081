# SPDX-License-Identifier: Apache-2.0
"""A web server on a loopback port for a folder, and the guests' way to it."""
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from guest import SERVER
from lab import DEB, Failure


class Web:
    """lighttpd; a guest reaches it, and nothing else, as http://SERVER/."""
    url = f"http://{SERVER}"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._home = tempfile.TemporaryDirectory()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        conf = pathlib.Path(self._home.name) / "conf"
        conf.write_text(f'server.document-root = "{self.folder}"\nserver.bind = "127.0.0.1"\nserver.port = {self.port}\n'
                        f'server.modules += ("mod_accesslog")\naccesslog.filename = "{self._home.name}/access"\n')
        self._server = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "lighttpd", "-D", "-f", conf],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self._server.poll() is not None:
                    break
                time.sleep(0.05)
        raise Failure(f"lighttpd does not listen on port {self.port}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.send_signal(signal.SIGTERM)
        self._server.wait()
        self._home.cleanup()

    def offer(self, file, name):
        """Serve a file of the host under a name: its URL for guests."""
        link = self.folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(file)
        return f"{self.url}/{name}"

    def requests(self):
        """Lines of the access log."""
        return (pathlib.Path(self._home.name) / "access").read_text().splitlines()

    def nic(self):
        """QEMU's network for it. One process for each connection: QEMU's own forward to a port is one connection for ever."""
        return ("user,model=virtio-net-pci,restrict=on,"
                f"guestfwd=tcp:{SERVER}:80-cmd:{DEB}/amd64/bin/busybox nc 127.0.0.1 {self.port}")
