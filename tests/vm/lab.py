# SPDX-License-Identifier: Apache-2.0
"""Where the laboratory's things lie, and how it runs programs. Everything it makes is below out/vm."""
import hashlib
import os
import pathlib
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
OUT = pathlib.Path(os.environ.get("VM_OUT", TOP / "out/vm"))
DEB = OUT / "deb"           # fetch.sh: DEB/amd64, DEB/arm64
BUILD = TOP / "out/build"   # the tools, configured and made
KEYS = OUT / "keys"         # the laboratory's own signing key
IMAGES = OUT / "images"     # made once, copied for each device
LOGS = OUT / "log"
RUN = OUT / "run"           # one folder for each device under test

# Time limits are ten times what an idle machine needs; VM_SLOW multiplies them once more.
SLOW = float(os.environ.get("VM_SLOW", "1"))

MIB = 1 << 20


class Failure(Exception):
    """What a scenario expected did not come; the text says what, and where the log is."""


class Skip(Exception):
    """A scenario that cannot run here, with the reason."""


def run(*argv, input=None, cwd=None, env=None):
    """Run a program of the host and return its standard output; it must succeed."""
    argv = [str(a) for a in argv]
    done = subprocess.run(argv, input=input, cwd=cwd, capture_output=True, check=False,
                          env=None if env is None else {**os.environ, **env})
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise Failure(f"'{' '.join(argv)}' ended with status {done.returncode}: {said}")
    return done.stdout


def sparse_copy(source, target):
    run("cp", "--sparse=always", "--reflink=auto", source, target)


def digest(*things):
    """One short name for what these strings, bytes and files (paths) hold."""
    h = hashlib.sha256()
    for t in things:
        if isinstance(t, pathlib.Path):
            with open(t, "rb") as f:
                h.update(hashlib.file_digest(f, "sha256").digest())
        else:
            h.update(hashlib.sha256(t if isinstance(t, bytes) else str(t).encode()).digest())
    return h.hexdigest()[:16]


def made_once(name, key, make):
    """IMAGES/NAME-KEY, made by make(temporary path) unless it is there: complete or absent, whoever else makes it now."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    stem, dot, suffix = name.partition(".")
    path = IMAGES / f"{stem}-{key}{dot}{suffix}"
    if not path.exists():
        part = IMAGES / f"{stem}-{key}.{os.getpid()}{dot}{suffix}"
        try:
            make(part)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    # The time of access only: mkartifact refuses a source whose time of change moves while it is read, and another scenario may read this.
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    return path


def prune_images(days=2):
    """Forget what has not been asked for so long: each change of a file that goes into a guest makes new images."""
    for path in IMAGES.glob("*"):
        if path.stat().st_atime < time.time() - days * 86400:
            path.unlink()
