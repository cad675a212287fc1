"""The terminal app: walk a model's heads, flip them between neural and program mode, watch the perplexity.

1. `link` listens to the workspace's engine and posts what it says as messages.
2. `known` is what the app knows, as plain values: cards, switchboard, figures; `timeline` holds the flips, to undo
   and to scrub.
3. Views (`head_map`, `head_view`, `perplexity_view`, …) draw what is known; each owns its widgets and nothing else.
4. `actions` is the one table of what a user can do: keys, footer, help and command palette are made from it.
"""

__all__: list[str] = []
