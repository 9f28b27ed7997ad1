"""The check that tokens are embeddings of one image."""

from __future__ import annotations

from .tokens import Tokens


def require_rows(tokens: Tokens) -> Tokens:
    """Returns the tokens if they are embeddings of one image, ``(rows, hidden)``.

    Raises:
        ValueError: They are the tower's features, or of several images or views.
    """
    if tokens.metadata.output != "embeddings":
        given = "a pooled vector" if tokens.metadata.output == "pooled" else "the tower's features"
        raise ValueError(
            f'These tokens are {given}, and a language model needs embeddings: encode with output="embeddings".'
        )
    if len(tokens.shape) != 2:
        raise ValueError(
            f"Embeddings must have the shape [rows, hidden], not {list(tokens.shape)}: encode one image, without "
            'assembly="tiles".'
        )
    return tokens
