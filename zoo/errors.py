"""The one exception for mistakes that a person can mend."""


class UserError(ValueError):
    """One line that says what is wrong, where, and what would be right.

    The commands print it on stderr and exit with code 2, without a traceback.
    """
