"""Programs that link words as grammar does."""
