"""Programs that look at earlier copies of the token or word."""
