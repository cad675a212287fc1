"""Programs of L0H3 of the bundled model."""

METADATA = """# /// script
# [tool.readhead]
# heads = ["L0H3"]
# category = "sequential and induction"
# ///
"""
GOOD = f"""{METADATA}

def head(s):
    return softmax(
        6.7 * s.decay(12)
        + 0.67 * s.previous(1)
    )
"""
"""Well above the floor of L0H3."""
BAD = GOOD.replace("6.7 *", "-40 *")
"""Below the floor: it avoids what is near."""
BROKEN = f"""{METADATA}

def head(s):
    x = s.foo + bar
    return softmax(open(x))
"""
"""Three findings."""
