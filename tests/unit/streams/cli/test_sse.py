"""Server-sent events, read from lines."""

from streams.cli.sse import Frame, frames


def read(text: str) -> list[Frame]:
    """The frames of a text."""
    return list(frames(text.split("\n")))


def test_an_event_ends_with_an_empty_line() -> None:
    """Name, data and id make a frame when the empty line comes; what is cut off is none."""
    assert read("id: 4\nevent: node.started\ndata: {}\n\nid: 5\nevent: cut.off\ndata: {}") == [
        Frame("node.started", "{}", "4")
    ]


def test_comments_and_times_are_no_events() -> None:
    """Pings, and the time after which to come back, are passed over."""
    assert read(": ping\n\nretry: 1000\n\nevent: a\ndata: 1\n\n") == [Frame("a", "1")]


def test_data_of_several_lines() -> None:
    """Lines of data are joined; only one space after the colon is taken away, and a name may be missing."""
    assert read("data: one\ndata:  two\ndata\n\n") == [Frame("message", "one\n two\n")]


def test_the_id_stays() -> None:
    """An event without an id has the one before it, as the specification says; one with NUL in it is ignored."""
    assert [one.id for one in read("id: 7\ndata: a\n\ndata: b\n\nid: 8\0\ndata: c\n\n")] == ["7", "7", "7"]
