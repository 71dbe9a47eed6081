# SPDX-License-Identifier: Apache-2.0
"""Which shared libraries 64-bit programs need, read from the files themselves: they may be of another architecture."""
import os
import pathlib
import struct

from lab import Failure

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB = 0, 1, 5


def read(path):
    """(interpreter or None, [names of needed libraries]) of an ELF file."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:6] != b"\x7fELF\x02\x01":
        raise Failure(f"'{path}' is no 64-bit little-endian ELF file")
    table, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]

    def text(at):
        return data[at:data.index(b"\0", at)].decode()

    def offset(address):
        for kind, _, start, virtual, _, length in segments:
            if kind == PT_LOAD and virtual <= address < virtual + length:
                return start + address - virtual
        raise Failure(f"'{path}' points out of itself")

    interpreter, dynamic = None, []
    for kind, _, start, _, _, length in segments:
        if kind == PT_INTERP:
            interpreter = text(start)
        elif kind == PT_DYNAMIC:
            dynamic = [struct.unpack_from("<qQ", data, at) for at in range(start, start + length, 16)]
    values = dict(dynamic)
    names = [text(offset(values[DT_STRTAB]) + value) for tag, value in dynamic if tag == DT_NEEDED]
    return interpreter, names


def closure(programs, folders):
    """{path in the guest: file of the host} of all that these programs load: libraries from the first of the folders that
    has them, and the loader where the programs name it."""
    found, todo = {}, list(programs)

    def locate(name):
        for folder in folders:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                return pathlib.Path(path).resolve()
        raise Failure(f"no library '{name}' in {', '.join(map(str, folders))}")

    while todo:
        interpreter, names = read(todo.pop())
        if interpreter:
            found[interpreter] = locate(os.path.basename(interpreter))
        for name in names:
            if not any(os.path.basename(p) == name for p in found):
                found["/usr/lib/" + name] = locate(name)
                todo.append(found["/usr/lib/" + name])
    return found
