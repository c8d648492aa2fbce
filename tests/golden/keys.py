"""A fingerprint of a model's parameter names and shapes, so that thousands of published keys need not be committed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def key_digest(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """How many parameters there are, and a SHA-256 over their sorted names and shapes."""
    lines = sorted(f"{name} {list(shape)}" for name, shape in shapes.items())
    return f"{len(lines)} {hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"
