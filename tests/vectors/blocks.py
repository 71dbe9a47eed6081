# SPDX-License-Identifier: Apache-2.0
"""The old image's first bytes, in which the patches' records find compressed blocks, right ones and wrong ones."""

from kit import compress, frame, noise, prose, raw_block, rle_block

MIB = 1 << 20
PLAIN = noise("plain", 6000)
TEXT = prose("window", 24000)


def packed(plain):
	"""The frame that libzstd makes of what does not compress."""
	return frame(len(plain), [raw_block(plain)], size_bytes=2 if len(plain) > 255 else 1)


# A frame, 50 bytes as they are, a frame that is smaller than what it holds; and what no block may be.
FRAME = packed(PLAIN)
AS_IT_IS = noise("as it is", 50)
SMALL = compress(TEXT)
BLOCKS = [(100, len(FRAME), 0), (0, 50, 1), (0, len(SMALL), 0)]
INNER_WINDOW = PLAIN + AS_IT_IS + TEXT
CHECKSUM = frame(300, [raw_block(PLAIN[:300])], flags=4, tail=bytes(4))
UNSAID = frame(300, [raw_block(PLAIN[:300])], single=False, window=0, size_bytes=0)
FULL = frame(4 * MIB, [rle_block(b"x", 1 << 17)] * 32)
LARGE = frame(4 * MIB + 1, [rle_block(b"x", 1 << 17)] * 32 + [rle_block(b"x", 1)])
HALF = frame(2 * MIB + 1, [rle_block(b"x", 1 << 17)] * 16 + [rle_block(b"x", 1)])
_start = noise("head", 100) + FRAME + AS_IT_IS + SMALL + CHECKSUM + UNSAID + FULL + LARGE + HALF * 2
CODE = _start + noise("code", 20480 - len(_start))
