"""How many requests a local Kafka broker has answered, as its own JMX metrics have it.

The JVM is attached to by its process id and asked for its management connector, so that a broker needs no flag and no port for this.
"""

import os
import re
import subprocess

from infra.local.installation import java
from infra.local.installation.install import Parts

_COUNTED = "kafka.network:type=RequestMetrics,name=RequestsPerSec,*"
_HEAP_MB = 64
_SECONDS = 60
_PARTS = ("FetchConsumer", "FetchFollower")
"""Counted under Fetch already."""
_KIND = re.compile(r"request=(\w+),.*Count=([\d.]+)")


class NoMetrics(RuntimeError):
    """The broker's JVM does not say where its metrics are."""


def requests(parts: Parts, pid: int) -> dict[str, int]:
    """How many requests of each kind the broker has answered since it began. Raises NoMetrics."""
    classes = os.pathsep.join(str(jar) for jar in sorted(parts.kafka.glob("*.jar")))
    asked = ("--jmx-url", _connector(pid), "--object-name", _COUNTED, "--attributes", "Count", "--one-time")
    told = _output("-cp", classes, "org.apache.kafka.tools.JmxTool", *asked, "--report-format", "properties")
    counted: dict[str, int] = {}
    for kind, value in _KIND.findall(told):
        if kind in _PARTS:
            continue
        counted[kind] = counted.get(kind, 0) + int(float(value))
    return counted


def _connector(pid: int) -> str:
    """The address of a JVM's management connector, which begins now if it has not yet."""
    tool = ("-m", "jdk.jcmd/sun.tools.jcmd.JCmd", str(pid))
    _output(*tool, "ManagementAgent.start_local")
    told = _output(*tool, "ManagementAgent.status")
    found = re.search(r"service:jmx:\S+", told)
    if found is None:
        raise NoMetrics(f"process {pid} has no management connector: {told[-500:]}")
    return found[0]


def _output(*program: str) -> str:
    done = subprocess.run(
        java.command(_HEAP_MB, *program), check=False, capture_output=True, text=True, timeout=_SECONDS
    )
    if done.returncode:
        raise NoMetrics(done.stderr[-500:])
    return done.stdout
