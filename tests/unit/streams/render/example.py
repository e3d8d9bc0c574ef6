"""Pipelines to render, over the checked-in contracts."""

from schemas.contracts import load_contracts
from streams.compile import compile_pipeline
from streams.compile.library import compile_all, load
from streams.language.topology import Topology

CONTRACTS = load_contracts()

NESTED = """
pipeline: nested
summary: Everything in everything
input: {photo: image, wide: {type: bool, default: false}}
nodes:
  detect: {service: face-detect, with: {image: "${photo}"}}
  info: {service: image-analyze, with: {image: "${photo}"}}
  faces:
    each: {face: "${detect.faces}"}
    nodes:
      cut: {service: image-crop, with: {image: "${photo}", areas: ["${face.area}"]}}
      fit:
        if: face.area.width > 100
        then:
          nodes:
            shrunk:
              repeat: {image: "${cut.images[0]}"}
              nodes:
                half: {service: image-resize, with: {image: "${image}", width: 100}}
                look: {service: image-analyze, with: {image: "${half.image}"}}
              next: {image: "${half.image}"}
              until: look.bytes < 1000
              max: 3
              output: "${half.image}"
          output: "${shrunk}"
        else: {output: "${cut.images[0]}"}
    output: "${fit}"
  grey:
    service: image-greyscale
    when: info.width > 10 && "x" != "<y>"
    with: {image: "${photo}"}
    on_error: skip
output: {faces: "${faces}", picture: "${first(grey.image, photo)}", note: "#1 ${info.format}"}
"""


def shipped(*names: str) -> list[Topology]:
    """Shipped pipelines and those of services, by name; all of them without one."""
    found = compile_all(load(CONTRACTS), CONTRACTS, names or None)
    assert not found.problems
    return list(found.topologies.values())


def compiled(text: str) -> Topology:
    """A pipeline of a test."""
    return compile_pipeline(text, CONTRACTS)
