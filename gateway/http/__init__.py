"""HTTP/1.1 below the routes: connections, bodies, headers, events."""
