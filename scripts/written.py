"""What the writers of pages have in common."""

import sys


def settle(page, text, check, mend):
    """Writes the page; with `check`, exits where it is not the text, saying how to mend that."""
    if not check:
        page.write_text(text)
    elif not page.exists() or page.read_text() != text:
        sys.exit(f"{page.parent.name}/{page.name}: not {mend}; run 'make docs'")
