# SPDX-License-Identifier: Apache-2.0
"""Scenarios: functions of scenarios_*.py, each run on the chains that it names, on a device of its own."""
import dataclasses
import json

from lab import Failure

SCENARIOS = {}


@dataclasses.dataclass
class Scenario:
    name: str          # CHAIN/NAME
    chain: str
    function: object
    full: bool

    @property
    def file(self):
        return self.name.replace("/", ".")


def scenario(*chains, full=()):
    """Register a function NAME(context) as the scenario CHAIN/NAME of each chain; on those in `full` only with --full."""
    def register(function):
        for chain in chains:
            s = Scenario(f"{chain}/{function.__name__.replace('_', '-')}", chain, function, chain in full)
            SCENARIOS[s.name] = s
        return function
    return register


class Context:
    """What a scenario gets."""

    def __init__(self, device):
        self.device = device
        self.said = []     # goes into the log
        self.warned = []   # is printed with the verdict too

    @property
    def board(self):
        return self.device.chain.board

    def say(self, text):
        self.said.append(text)

    def warn(self, text):
        self.say(text)
        self.warned.append(text)

    def expect(self, what, is_so, due):
        if is_so != due:
            raise Failure(f"{what} is {is_so!r}, not {due!r}")

    def timing(self, machine, what):
        """Note how long a boot and each of its steps took."""
        up = machine.when(machine.wait("LAB userspace"))
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, (_, seconds) in machine.steps().items())
        self.say(f"{what}: userspace after {up:.1f} s, whole boot {machine.seconds():.1f} s ({machine.cpu:.1f} s of processor)"
                 + (f", {steps}" if steps else ""))


def status(machine, section="status"):
    """What `section status artifact-install status --json` of a job has printed."""
    code, text = machine.sections()[section]
    if code:
        raise Failure(f"artifact-install status ended with {code}: {text}")
    return json.loads(text)
