"""Notices to people and other systems: their content, how they are sent, and who may receive them."""
