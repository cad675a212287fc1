"""Programs that link the items of lists and the two sides of a conjunction."""
