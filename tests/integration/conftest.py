"""Fixtures that several files of this tier share."""

from tests.integration.gateway_world import gateways

__all__ = ["gateways"]
