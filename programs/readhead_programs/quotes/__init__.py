"""Programs that follow quotation marks and dialogue."""
