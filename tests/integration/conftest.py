"""Fixtures that several files of this tier share."""

from tests.integration.gateway_world import gateways
from tests.integration.town import town

__all__ = ["gateways", "town"]
