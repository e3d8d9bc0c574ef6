"""The model that classifies white cells: a linear one over traits of shape and colour, learned from the BCCD originals."""
