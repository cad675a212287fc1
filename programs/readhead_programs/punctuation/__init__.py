"""Programs that look at punctuation marks and line breaks."""
