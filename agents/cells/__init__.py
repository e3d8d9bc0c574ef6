"""What cell-preprocess and cell-classify are made of: the stain, the white cell, its normalised picture, the model."""
