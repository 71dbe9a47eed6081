# SPDX-License-Identifier: Apache-2.0
"""One power-on of a virtual device: a QEMU process from the start to its end. A reboot ends it too (-no-reboot), so the harness
starts and counts every boot.

A Machine lives in the thread that made it: QEMU is killed when that thread ends, however it ends (setpriv --pdeathsig)."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from lab import SLOW, Failure


class Machine:
    """The console is in .text (all of it so far) and, line by line with seconds and processor seconds, in the log.

    After `finish` or `cut`: .ended is "poweroff", "reboot", "panic" or "killed"; .watchdog tells whether the watchdog bit;
    .cpu is the processor time that QEMU took, which says more than seconds where the host has other work."""

    def __init__(self, argv, log, title=""):
        self.began = time.monotonic()
        self.text = ""
        self.ended = None
        self.watchdog = False
        self.cpu = None            # set when the process is gone
        self._times = []           # (length of text, seconds) when each piece came
        self._more = threading.Condition()
        self._log = open(log, "a", encoding="utf-8")
        self.log = log
        ours, theirs = socket.socketpair()
        argv = [*argv, "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
        self._say(f"==== {title}\n$ {' '.join(argv)}\n")
        with theirs:
            self._qemu = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *argv], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          pass_fds=[theirs.fileno()])
        self._qmp = ours
        self._qmp.sendall(b'{"execute": "qmp_capabilities"}\n')
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._listen, self._events)]
        for t in self._threads:
            t.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()

    def seconds(self):
        return time.monotonic() - self.began

    def _processor(self):
        """Processor seconds so far; also of a process that has ended and is not reaped."""
        with open(f"/proc/{self._qemu.pid}/stat", encoding="latin-1") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _say(self, text):
        self._log.write(text)
        self._log.flush()

    def _listen(self):
        line = ""
        while data := os.read(self._qemu.stdout.fileno(), 65536):
            now, cpu = self.seconds(), self._processor()
            with self._more:
                self.text += data.decode("latin-1")
                self._times.append((len(self.text), now))
                self._more.notify_all()
            line += data.decode("latin-1").replace("\r", "")
            *lines, line = line.split("\n")
            self._say("".join(f"{now:8.2f} {cpu:7.2f}  {text}\n" for text in lines))
        self._say(f"{self.seconds():8.2f}          {line}\n" if line else "")
        os.waitid(os.P_PID, self._qemu.pid, os.WEXITED | os.WNOWAIT)
        with self._more:
            self.cpu = self._processor()
            self._more.notify_all()

    def _events(self):
        for line in self._qmp.makefile("r", encoding="utf-8"):
            event = json.loads(line)
            if event.get("event") == "WATCHDOG":
                self.watchdog = True
            elif event.get("event") == "SHUTDOWN" and not self.ended:
                self.ended = {"guest-shutdown": "poweroff", "guest-reset": "reboot",
                              "guest-panic": "panic"}.get(event["data"]["reason"], event["data"]["reason"])
            self._say(f"{self.seconds():8.2f} -- {event['event']} {event.get('data', '')}\n" if "event" in event else "")
            if isinstance(event.get("return"), str):
                self._say(event["return"].replace("\r", ""))

    def wait(self, pattern, limit=120, start=0):
        """Until the console shows a regular expression (from offset START): its match. The seconds: .when(match)."""
        expression = re.compile(pattern, re.M)
        deadline = time.monotonic() + limit * SLOW
        with self._more:
            while not (match := expression.search(self.text, start)):
                if self.cpu is not None:
                    raise Failure(f"the machine stopped ({self.ended or 'by itself'}) before '{pattern}' came; "
                                  f"its last words: {self.tail()}")
                left = deadline - time.monotonic()
                if left <= 0:
                    self._examine()
                    raise Failure(f"'{pattern}' did not come in {limit * SLOW:.0f} s; last words: {self.tail()}")
                self._more.wait(min(left, 1))
        return match

    def _examine(self, pause=2):
        """Put into the log what a machine is doing that has said nothing for too long."""
        for _ in range(2):
            self._say(f"{self.seconds():8.2f} {self._processor():7.2f} -- hangs?\n")
            for command in ("info status", "info registers", "info pic"):
                self.monitor("human-monitor-command", **{"command-line": command})
            time.sleep(pause)

    def when(self, match):
        """The seconds from power-on at which a match was complete."""
        return next(t for length, t in self._times if length >= match.end())

    def tail(self):
        return " | ".join(self.text.replace("\r", "").strip().split("\n")[-3:])[-300:]

    def send(self, text):
        """Type on the console."""
        self._qemu.stdin.write(text.encode())
        self._qemu.stdin.flush()

    def monitor(self, command, **arguments):
        """A QMP command; its answer is not awaited, events are in the log."""
        self._qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def finish(self, limit=180):
        """Until the guest powers off, reboots or panics: which."""
        with self._more:
            if not self._more.wait_for(lambda: self.cpu is not None, limit * SLOW):
                raise Failure(f"the machine was still running after {limit * SLOW:.0f} s; last words: {self.tail()}")
        self._close()
        return self.ended

    def cut(self):
        """Take the power away, if it still runs."""
        if self.cpu is None:
            os.kill(self._qemu.pid, signal.SIGKILL)
            self.ended = self.ended or "killed"
        self._close()

    def _close(self):
        for t in self._threads:
            t.join()
        self._qemu.wait()
        self._qemu.stdin.close()
        self._qemu.stdout.close()
        self._qmp.close()
        if not self._log.closed:
            self._say(f"{self.seconds():8.2f} -- ended: {self.ended}{', watchdog' if self.watchdog else ''}\n")
            self._log.close()

    # What jobs print (guest.py).

    def sections(self):
        """{name: (status, text)} of what `section NAME COMMAND` has printed."""
        found = re.findall(r"^LAB begin=(\S+)\r?\n(.*?)^LAB end=\1 rc=(\d+)", self.text, re.M | re.S)
        return {name: (int(rc), text.replace("\r", "")) for name, text, rc in found}

    def steps(self):
        """{name: (status, seconds)} of what `step NAME COMMAND` has done."""
        found = re.findall(r"^LAB step=(\S+) rc=(\d+) from=([\d.]+) to=([\d.]+)", self.text, re.M)
        return {name: (int(rc), float(to) - float(start)) for name, rc, start, to in found}

    def job_status(self):
        match = re.search(r"^LAB job-rc=(\d+)", self.text, re.M)
        return int(match[1]) if match else None
