"""Programs that look at everything before, the nearer the more."""
