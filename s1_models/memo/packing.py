"""Token ids in few bytes."""

from __future__ import annotations

import sys
import zlib
from array import array

from s1_models.forcing import Tokens

_DEFLATED_ARRAY = 0
# A first byte of 1 to 4 is the width of byte planes (all low bytes, then all second bytes, ...); 16 more says that
# they are deflated, as version 0.1.0 wrote them.
_DEFLATED_PLANES = 16


def pack(tokens: Tokens) -> bytes:
    """Token ids as 32-bit numbers, deflated; a short segment in as many bytes per id as it needs, if that is less.

    1.1 to 1.8 bytes per token of text (segments of 20,000 to 300 tokens).
    """
    if not tokens:
        return b""
    raw = _little_endian(array("I", tokens)).tobytes()
    width = max(1, (max(tokens).bit_length() + 7) // 8)
    deflated = zlib.compress(raw) if width * len(tokens) > 64 else raw
    if len(deflated) < width * len(tokens):
        return bytes([_DEFLATED_ARRAY]) + deflated
    return bytes([width]) + b"".join(raw[plane::4] for plane in range(width))


def unpack(packed: bytes) -> array[int]:
    """What `pack` packed, in this version or in 0.1.0."""
    ids = array("I")
    if not packed:
        return ids
    kind, content = packed[0], packed[1:]
    ids.frombytes(zlib.decompress(content) if kind == _DEFLATED_ARRAY else _from_planes(kind, content))
    return _little_endian(ids)


def _from_planes(kind: int, planes: bytes) -> bytes:
    width = kind % _DEFLATED_PLANES
    if kind >= _DEFLATED_PLANES:
        planes = zlib.decompress(planes)
    count = len(planes) // width
    raw = bytearray(count * 4)
    for plane in range(width):
        raw[plane::4] = planes[plane * count : (plane + 1) * count]
    return bytes(raw)


def _little_endian(ids: array[int]) -> array[int]:
    if sys.byteorder == "big":
        ids.byteswap()
    return ids
