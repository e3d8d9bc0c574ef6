"""What the image services share: pictures, areas, metadata and faces."""
