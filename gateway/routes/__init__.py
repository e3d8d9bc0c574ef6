"""The routes of the API: one module a noun, each with a `router`."""
