"""English words that say little of what a text is about: articles, pronouns, prepositions, auxiliaries."""

from collections.abc import Iterable

_ARTICLES = "a an the"
_PRONOUNS = (
    "i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself "
    "she her hers herself it its itself they them their theirs themselves one oneself "
    "this that these those who whom whose which what"
)
_PREPOSITIONS = (
    "about above across after against along among around at before behind below beneath beside between "
    "beyond by down during for from in inside into near of off on onto out outside over past through "
    "to toward towards under until up upon with within without"
)
_CONJUNCTIONS = (
    "and or but nor so yet if because although though while whereas unless as than whether"
)
_AUXILIARIES = (
    "am is are was were be been being have has had having do does did doing will would shall should can "
    "could may might must ought need"
)
_ADVERBS = (
    "not no only very too also just then there here when where why how again once more most such own same "
    "other some any each every both all few many much another ever never now still even quite rather"
)
_SHORT = (
    "i'm i've i'd i'll you're you've you'd you'll he's he'd he'll she's she'd she'll it's we're we've we'd "
    "we'll they're they've they'd they'll that's who's what's there's here's let's isn't aren't wasn't "
    "weren't haven't hasn't hadn't don't doesn't didn't won't wouldn't shan't shouldn't can't cannot "
    "couldn't mustn't"
)
ENGLISH = frozenset(
    " ".join(
        (_ARTICLES, _PRONOUNS, _PREPOSITIONS, _CONJUNCTIONS, _AUXILIARIES, _ADVERBS, _SHORT)
    ).split()
)


def without(words: Iterable[str]) -> list[str]:
    """The words but for those of ``ENGLISH``, whatever their case and apostrophe."""
    return [word for word in words if word.lower().replace("’", "'") not in ENGLISH]
