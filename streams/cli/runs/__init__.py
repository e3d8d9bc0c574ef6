"""Commands about runs, over HTTP."""
