"""What a worker hosts: its services with their processes, its agents, and their memberships in consumer groups."""
