#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A network child that was taken over: its behaviour is the last part of the URL it gets."""
import os
import signal
import socket
import struct
import sys
import time

s = socket.socket(fileno=0)


def receive(n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data


def request():
    op, ident, off, size = struct.unpack("<IIQQ", receive(24))
    return op, ident, off, size


def frame(kind, ident, body=b"", length=None, zero=0):
    s.sendall(struct.pack("<IIII", kind, ident, len(body) if length is None else length, zero) + body)


op, ident, off, size = request()
options = dict(o.split("=", 1) for o in receive(size).decode().split("\0") if o)
how = options["url"].rsplit("/", 1)[1]
if how == "noise":
    s.sendall(b"\xff" * 100000)
elif how == "exit":
    sys.exit(3)
elif how == "silent":
    time.sleep(60)
elif how == "close":
    s.shutdown(socket.SHUT_RDWR)
    s.close()
    os.close(0)
    time.sleep(60)
elif how == "shortopen":
    frame(1, 0, b"1234")
elif how == "wordy":
    frame(4, 0, struct.pack("<I", 1) + b"x" * 5000)
elif how == "forged":
    # A code that would mean success or trust, and control characters.
    frame(4, 0, struct.pack("<I", 0) + b"\x1b[2Jboom\n")
elif how == "shortnote":
    frame(5, 0, b"123")
elif how == "wordynote":
    frame(5, 0, struct.pack("<I", 9000) + b"x" * 5000)
elif how == "idnote":
    frame(5, 1, struct.pack("<I", 9000) + b"why")
elif how == "notes":
    while True:
        frame(5, 0, struct.pack("<I", 1))
elif how == "lastword":
    # Hears nothing any more, has said why, and is gone: what is sent to it now fails, what it said is to be read.
    s.shutdown(socket.SHUT_RD)
    frame(1, 0, struct.pack("<QII", 1000000, 1, 0))
    frame(4, 1, struct.pack("<I", 58) + b"my last word")
    sys.exit(1)
frame(1, 0, struct.pack("<QII", 1000000, 1, 0))
while True:
    op, ident, off, size = request()
    if how == "toolong":
        frame(2, ident, b"x" * 65536)
        frame(2, ident, b"x" * 65536)
    elif how == "huge":
        frame(2, ident, b"x", length=0x7fffffff)
    elif how == "wrongid":
        frame(2, ident + 7, b"x" * 10)
    elif how == "empty":
        frame(2, ident)
    elif how == "early":
        frame(3, ident, struct.pack("<Q", 0))
    elif how == "type":
        frame(99, ident, b"x")
    elif how == "zero":
        frame(2, ident, b"x", zero=1)
    elif how == "endsize":
        frame(3, ident, b"x")
    elif how == "abort":
        os.kill(os.getpid(), signal.SIGSEGV)
    else:
        sys.exit(9)
