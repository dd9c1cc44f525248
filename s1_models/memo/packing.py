"""Token ids in few bytes."""

from __future__ import annotations

import sys
import zlib
from array import array

from s1_models.forcing import Tokens


def pack(tokens: Tokens) -> bytes:
    """Token ids as byte planes (all low bytes, then all second bytes, ...) of the width they need, deflated if shorter.

    The first byte is the width, 16 more when deflated. 1 to 3 bytes per token in short segments, about 2 in long ones.
    """
    if not tokens:
        return b""
    ids = array("I", tokens)
    if sys.byteorder == "big":
        ids.byteswap()
    raw = ids.tobytes()
    width = max(1, (max(tokens).bit_length() + 7) // 8)
    planes = b"".join(raw[plane :: ids.itemsize] for plane in range(width))
    deflated = zlib.compress(planes, 6) if len(planes) > 64 else planes
    if len(deflated) < len(planes):
        return bytes([width + 16]) + deflated
    return bytes([width]) + planes


def unpack(packed: bytes) -> array[int]:
    """What `pack` packed."""
    ids = array("I")
    if not packed:
        return ids
    width, planes = packed[0] & 15, packed[1:]
    if packed[0] & 16:
        planes = zlib.decompress(planes)
    count = len(planes) // width
    raw = bytearray(count * ids.itemsize)
    for plane in range(width):
        raw[plane :: ids.itemsize] = planes[plane * count : (plane + 1) * count]
    ids.frombytes(raw)
    if sys.byteorder == "big":
        ids.byteswap()
    return ids
