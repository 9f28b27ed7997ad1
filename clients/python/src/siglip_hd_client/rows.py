"""What a language model takes: rows of its own width, after the projector."""

from __future__ import annotations

from .tokens import Tokens


def require_rows(tokens: Tokens) -> Tokens:
    """The tokens, if they are rows that a language model takes, ``(rows, hidden)``.

    Raises:
        ValueError: They are the tower's features, which no language model takes, or of several images or views.
    """
    if tokens.metadata.output != "embeddings":
        raise ValueError(
            "These tokens are the tower's features; a language model takes rows after the projector: "
            'encode with output="embeddings".'
        )
    if len(tokens.shape) != 2:
        raise ValueError(
            f'Rows are [rows, hidden], not {list(tokens.shape)}: encode one image, not as assembly="tiles".'
        )
    return tokens
