# SPDX-License-Identifier: Apache-2.0
"""Between the installer and its network child: hasty_child.py CHILD KEY=VALUE... Other options than those the installer
gives, such as stall=1, so that a test need not wait as long as a device does. What follows is passed on as it is.
"""
import os
import socket
import struct
import subprocess
import sys
import threading

up = socket.socket(fileno=0)
op, ident, off, size = struct.unpack("<IIQQ", up.recv(24, socket.MSG_WAITALL))
options = dict(o.split("=", 1) for o in up.recv(size, socket.MSG_WAITALL).decode().split("\0") if o)
options.update(a.split("=", 1) for a in sys.argv[2:])
options["parent"] = os.getpid()
row = "".join(f"{key}={value}\0" for key, value in options.items()).encode()
down, theirs = socket.socketpair()
child = subprocess.Popen([sys.argv[1]], stdin=theirs)
theirs.close()
down.sendall(struct.pack("<IIQQ", op, ident, off, len(row)) + row)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


threading.Thread(target=copy, args=(up, down), daemon=True).start()
copy(down, up)
sys.exit(child.wait())
