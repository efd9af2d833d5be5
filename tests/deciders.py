"""Processes that decide about a version: at once with others, or half-way to their death."""

import subprocess
import sys

from reenact.errors import DecisionRefused, Overtaken

CHILD = """
import os, signal, sys
from reenact.errors import ReenactError
from reenact.review import decisions
from reenact.tracking.connect import TrackingSettings, connect
uri, artifacts, experiment, model, version, by, fault = sys.argv[1:]
client = connect(TrackingSettings(uri=uri, artifacts=artifacts, experiment=experiment))[0]
if fault == "dies":
    decisions.carry_out = lambda *ignored, **named: os.kill(os.getpid(), signal.SIGKILL)
print("ready", flush=True)
sys.stdin.readline()
try:
    decisions.approve(client, model, version, by=by, reason="sharper")
except ReenactError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def child(registry, version, by, fault="none"):
    """A process that approves a version as soon as it is told to."""
    place = registry.tracking
    told = [place.uri, place.artifacts, place.experiment, registry.model, version, by, fault]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", CHILD, *told], **pipes, text=True)


def first_of_two(registry, versions):
    """Two processes approve a version each at once: one does, the other is refused; (version, who) of the one."""
    people = ("ana", "ben")
    children = [child(registry, version, by) for version, by in zip(versions, people, strict=True)]
    for one in children:
        assert one.stdout.readline() == "ready\n", one.communicate(timeout=300)
    for one in children:
        one.stdin.write("\n")
        one.stdin.flush()
    said = [one.communicate(timeout=300)[1] for one in children]
    codes = [one.returncode for one in children]
    assert codes.count(0) == 1, said
    winner = codes.index(0)
    # the other came a moment later, or a whole decision
    assert codes[1 - winner] in (DecisionRefused.exit_code, Overtaken.exit_code), said
    assert said[1 - winner].strip()
    return versions[winner], people[winner]
