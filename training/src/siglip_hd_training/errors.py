"""The error that a user can act on."""


class TrainingError(Exception):
    """Something that the user can correct; its message says what is wrong and what to do."""
