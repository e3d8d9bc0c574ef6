"""What the face services are worth, measured on public photos; nothing is trained here."""
