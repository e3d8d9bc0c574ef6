"""How a record reaches its handler: guarded, counted when it is delivered again, and held back until its retry is due."""
