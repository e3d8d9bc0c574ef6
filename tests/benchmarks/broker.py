"""A Kafka broker that counts its requests, as its own JMX metrics have them."""

import os
import subprocess
from dataclasses import replace

from infra.local import java
from infra.local.install import Parts
from infra.local.kafka import KAFKA
from infra.local.part import Part
from infra.local.ports import LOOPBACK
from infra.local.site import Site

PORT = "kafka-metrics"
_COUNTED = "kafka.network:type=RequestMetrics,name=RequestsPerSec,*"


def counting() -> Part:
    """The broker of the local stack, with its metrics on a loopback port."""

    def command(site: Site) -> list[str]:
        program, *arguments = KAFKA.command(site)
        jmx = {
            "com.sun.management.jmxremote.port": str(site.ports[PORT]),
            "com.sun.management.jmxremote.rmi.port": str(site.ports[PORT]),
            "com.sun.management.jmxremote.host": LOOPBACK,
            "java.rmi.server.hostname": LOOPBACK,
            "com.sun.management.jmxremote.authenticate": "false",
            "com.sun.management.jmxremote.ssl": "false",
        }
        return [program, *(f"-D{name}={value}" for name, value in jmx.items()), *arguments]

    return replace(KAFKA, command=command, ports=(*KAFKA.ports, PORT))


def requests(parts: Parts, port: int) -> dict[str, int]:
    """How many requests of each kind the broker has answered since it began."""
    classes = os.pathsep.join(str(jar) for jar in sorted(parts.kafka.glob("*.jar")))
    url = f"service:jmx:rmi:///jndi/rmi://{LOOPBACK}:{port}/jmxrmi"
    asked = ("--jmx-url", url, "--object-name", _COUNTED, "--attributes", "Count", "--one-time")
    command = java.command(
        64, "-cp", classes, "org.apache.kafka.tools.JmxTool", *asked, "--report-format", "properties"
    )
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    counted: dict[str, int] = {}
    for line in told.splitlines():
        name, equals, value = line.rpartition("=")
        if not equals or "request=" not in name:
            continue
        kind = name.partition("request=")[2].partition(",")[0].partition(":")[0]
        counted[kind] = counted.get(kind, 0) + int(float(value))
    return counted
