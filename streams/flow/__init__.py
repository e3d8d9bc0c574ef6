"""Carrying a run: pure functions from messages to messages.

- `advance`: where a run goes when an attempt of a service has ended; `walk` does the steps.
- `run`: what flow does with each message of a run; `message_handler` holds its joins, loops and end.
- `run_state`, `state_rows`: what flow knows of a run, and how that is stored and rebuilt.
- `explain`: what a run waits for; `replay`: how to repeat one; `rollout`, `output_diff`: how versions are tried and compared.
- `straight`: runs that flow neither begins nor ends.
- `riding_events`: events that travel inside the message that follows them.

The statuses of a run and of a node execution are in `streams.lifecycle`.
"""
