"""Folk tunes in ABC notation, as one text."""

import hashlib
import re
from collections.abc import Iterable


def joined(texts: Iterable[str]) -> str:
    """The tunes of several collections, each once, in an order of no meaning, so that the last part of the
    text is of the same kinds as the first: by the sha256 of each. An empty line stands between two.

    A tune begins with its line ``X:``, whose number is of the collection: it goes. Remarks go, too.
    """
    found = {}
    for text in texts:
        for block in re.split(r"^X:.*\n", text, flags=re.MULTILINE)[1:]:
            lines = [line.strip() for line in block.split("\n")]
            tune = "\n".join(line for line in lines if line and not line.startswith("%"))
            found[hashlib.sha256(tune.encode()).hexdigest()] = tune
    return "\n\n".join(tune for _, tune in sorted(found.items())) + "\n"
