"""The limits of one gateway process, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from streams.settings import read_fields

PREFIX = "MILLRACE_GATEWAY_"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Each field is read from `MILLRACE_GATEWAY_<FIELD>`; every one but `callbacks` is a positive number."""

    body: int = 64 * MIB
    """Bytes of one request body."""
    json: int = 16 * MIB
    """Bytes of a JSON body, data URLs included, and of one part that is not an image."""
    definition: int = 1 * MIB
    """Bytes of a pipeline's definition."""
    parts: int = 256
    """Parts of one multipart body."""
    depth: int = 64
    """Levels of nested lists and objects in JSON."""
    uploads: int = 16
    """Large bodies that are read at the same time; further ones wait."""
    pause: float = 5.0
    """Seconds without a byte after which a large body gives way to others that wait."""
    patience: float = 60.0
    """Seconds that a body may take to arrive."""
    head: float = 10.0
    """Seconds from a connection, or from the answer before, to the end of a request's headers."""
    headers: int = 64 * 1024
    """Bytes of a request's address and headers."""
    connections: int = 4000
    """Connections open at once, fewer if the process may open fewer files."""
    peer: int = 2000
    """Connections open at once from one address."""
    clients: int = 1000
    """Event streams and waits for results at once, of which one address gets nine tenths; further ones get 503."""
    ping: float = 15.0
    """Seconds of silence after which an event stream sends a comment."""
    stall: float = 30.0
    """Seconds that a client may leave an event stream unread before it is disconnected."""
    wait: float = 120.0
    """Seconds that `Prefer: wait` may ask for; more is cut to this."""
    lookback: float = 900.0
    """Seconds of run.events that are read at start."""
    lookback_records: int = 20_000
    """Records of each partition of run.events that are read at start, at most."""
    index: int = 128 * MIB
    """Bytes of events kept in memory; older runs are read from the history when needed."""
    callback_tries: int = 10
    """Attempts of one callback, with growing pauses, before it is given up."""
    callbacks: str = ""
    """Hosts that callbacks may go to, `host` or `host:port`, comma separated; none when empty."""

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the limits from the environment, else the defaults. Raises SettingError naming the key and the bad value."""
        return cls(**read_fields(cls, PREFIX, environ))
