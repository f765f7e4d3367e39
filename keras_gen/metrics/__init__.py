"""Floor 1: what is measured, one file per metric; arrays and callables in, numbers out."""
