"""Programs that look at names and follow pronouns back to them."""
