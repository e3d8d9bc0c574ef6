"""The model that tells white cells apart: a linear one over traits of shape and colour, learned from the BCCD originals."""
