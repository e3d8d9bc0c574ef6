"""Whether values and schemas are what they should be."""
