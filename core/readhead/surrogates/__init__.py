"""Programs in the place of heads: the running hybrid model, what it costs in perplexity, and which heads to replace."""
