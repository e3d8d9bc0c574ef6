"""A YAML file as data in which everything knows its line and column."""
