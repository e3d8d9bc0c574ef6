"""The services, one small file each, and the agents that serve them.

`agents.discovery` lists and loads services. Nothing is imported here: help of the command line imports `agents.loan.commands`.
"""
