"""Which services may come right after which."""

from streams.render.follow import followers
from tests.unit.streams.render.example import NESTED, compiled, shipped


def test_a_chain_has_its_next_node_only() -> None:
    """In a chain, a service is followed by the next one and not by those after it."""
    assert followers(shipped("blur-women")) == {
        "face-analyze": frozenset({"image-blur"}),
        "face-detect": frozenset({"face-analyze"}),
        "image-blur": frozenset(),
    }


def test_flow_stands_between_a_loop_and_its_items() -> None:
    """What comes before a loop sends nothing into it, and what ends an item sends nothing on: flow does both."""
    assert followers(shipped("face-thumbnail")) == {
        "face-detect": frozenset(),
        "image-crop": frozenset({"image-resize"}),
        "image-resize": frozenset(),
    }


def test_branches_and_rounds_are_entered_directly() -> None:
    """A service sends into the sides of a branch, and the last one of a round into the next round."""
    found = followers([compiled(NESTED)])
    assert found["image-crop"] == {"image-resize"}
    assert found["image-analyze"] == {"image-resize", "image-greyscale"}


def test_several_pipelines_add_up() -> None:
    """A service's followers are those of all pipelines together."""
    found = followers(shipped("blur-women", "face-blur"))
    assert found["face-detect"] == {"face-analyze", "image-blur"}


def test_a_node_that_may_be_skipped_is_passed_over() -> None:
    """Behind a node that may be skipped, the one after it may come first."""
    text = """
pipeline: maybe
input: {photo: image, grey: bool}
nodes:
  first_one: {service: image-convert, with: {image: "${photo}", format: png}}
  second: {service: image-greyscale, when: grey, with: {image: "${first_one.image}"}}
  third: {service: image-resize, with: {image: "${first(second.image, photo)}", width: 10}}
output: {image: "${third.image}"}
"""
    assert followers([compiled(text)])["image-convert"] == {"image-greyscale", "image-resize"}
