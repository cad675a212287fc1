"""Programs that look at what came next the last time."""
