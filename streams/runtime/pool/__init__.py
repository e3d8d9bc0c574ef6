"""Child processes that run the functions of services."""
