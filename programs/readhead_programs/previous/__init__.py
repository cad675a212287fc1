"""Programs that look a fixed number of tokens or words back."""
