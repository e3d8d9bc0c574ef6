"""Addresses of a run, as answers name them."""


def links(run: str) -> dict[str, str]:
    """Return the addresses of a run, of its events and of its result."""
    place = f"/runs/{run}"
    return {"self": place, "events": f"{place}/events", "result": f"{place}/result"}
