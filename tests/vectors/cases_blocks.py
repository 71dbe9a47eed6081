# SPDX-License-Identifier: Apache-2.0
"""Records of unpacked blocks (format-spec/format.md section 16.5, codec 2). What has to come out of an encoder is noise,
of which every version of zstd makes one raw block."""

from blocks import (AS_IT_IS, BLOCKS, CHECKSUM, CODE, FRAME, FULL, HALF, INNER_WINDOW, LARGE, MIB, PLAIN, UNSAID,
		    packed)
from cases_patch import NEW, OLD, Pair, Record, number, program, recipe
from kit import compress

CHANGED = bytearray(PLAIN)
for _at in range(7, 6000, 50):
	CHANGED[_at] = (CHANGED[_at] + 3) % 256
CHANGED = bytes(CHANGED)
FIVE = b"five!"
ROW = FIVE + packed(CHANGED) + packed(b"abc") + AS_IT_IS
PIECES = [(5, 1), (6000, 0), (3, 0), (50, 1)]
INNER = FIVE + CHANGED + b"abc" + AS_IT_IS


def inner_program():
	return compress(program([(0, 0, 5), (0, 6000, 3), (6000, 50, 0)], INNER, INNER_WINDOW))


def pair(v, stored, extents=None):
	p = Pair(v, ROW)
	p.records[0] = Record(2, [(1, 1)], [(OLD, 0, 5)] if extents is None else extents, stored)
	return p


def add_all(v):
	good(v)
	hostile(v)
	in_window(v)


def good(v):
	plain = compress(INNER, INNER_WINDOW)
	v.add("good-blocks-zstd", "ok", "unpacked blocks, a zstd frame with a window",
	      pair(v, recipe(0, 15, BLOCKS, PIECES) + plain).build())
	v.add("good-blocks-diff", "ok", "unpacked blocks, a diff program",
	      pair(v, recipe(1, 22, BLOCKS, PIECES) + inner_program()).build())
	v.add("good-blocks-none", "ok", "nothing unpacked, no window",
	      pair(v, recipe(0, 1, [], PIECES) + compress(INNER), []).build())
	v.add("good-blocks-as-they-are", "ok", "one piece that stays as it is",
	      pair(v, recipe(0, 3, BLOCKS, [(len(ROW), 1)]) + compress(ROW, INNER_WINDOW)).build())
	many = [(1, 1)] * 5 + [(6000, 0), (3, 0)] + [(1, 1)] * 50
	v.add("good-blocks-many", "ok", "57 pieces, 150 blocks",
	      pair(v, recipe(0, 9, [(1, 1, 1)] * 150, many) +
		   compress(INNER, bytes(CODE[2 * i + 1] for i in range(150)))).build())
	p = pair(v, recipe(0, 15, BLOCKS, PIECES) + plain)
	p.records[1] = Record(2, [(1, 1), (1, 1)], [(NEW, 0, 1)],
			      recipe(0, 15, [(517, 1000, 1)], [(len(p.new_text + p.rows[5].plain), 1)]) +
			      compress(p.new_text + p.rows[5].plain, (bytes(512) + ROW)[517:1517]))
	v.add("good-blocks-new", "ok", "a block of the new image", p.build())


def hostile(v):
	plain = compress(INNER, INNER_WINDOW)

	def case(name, what, stored, error="patch-decode"):
		v.add("blocks-" + name, error, what, pair(v, stored).build())

	good_recipe = recipe(0, 15, BLOCKS, PIECES)
	case("within-blocks", "a recipe that names its own codec", recipe(2, 15, BLOCKS, PIECES) + plain)
	case("level-0", "level 0", recipe(0, 0, BLOCKS, PIECES) + plain)
	case("level-23", "level 23", recipe(0, 23, BLOCKS, PIECES) + plain)
	case("many-blocks", "257 blocks", recipe(0, 15, [(0, 1, 1)] * 257, PIECES) + plain)
	case("no-pieces", "no pieces", recipe(0, 15, BLOCKS, []) + plain)
	case("many-pieces", "257 pieces", recipe(0, 15, BLOCKS, [(1, 1)] * 257) + plain)
	case("empty-piece", "a piece of no bytes", recipe(0, 15, BLOCKS, [(0, 1)] + PIECES) + plain)
	case("empty-piece-packed", "no bytes to be compressed", recipe(0, 15, BLOCKS, PIECES + [(0, 0)]) + plain)
	case("pieces-above-1-mib", "pieces above 1 MiB in all",
	     recipe(0, 15, BLOCKS, PIECES + [(MIB - len(INNER) + 1, 1)]) + plain)
	case("piece-huge", "a piece of 2^60 bytes", recipe(0, 15, BLOCKS, [(1 << 60, 1)]) + plain)
	case("inner-short", "a piece longer than what is decoded",
	     recipe(0, 15, BLOCKS, PIECES[:3] + [(51, 1)]) + plain)
	case("too-long", "more bytes than the rows have", recipe(0, 15, BLOCKS, PIECES + [(1, 1)]) +
	     compress(INNER + b"x", INNER_WINDOW))
	case("too-long-packed", "a frame more than the rows have", recipe(0, 15, BLOCKS, PIECES + [(1, 0)]) +
	     compress(INNER + b"x", INNER_WINDOW))
	case("too-short", "a byte less than the rows have", recipe(0, 15, BLOCKS, PIECES[:3] + [(49, 1)]) +
	     compress(INNER[:-1], INNER_WINDOW))
	case("other-kinds", "a piece packed that should not be", recipe(0, 15, BLOCKS, [(5, 0)] + PIECES[1:]) + plain)
	case("other-byte", "a byte that is not the rows'", good_recipe +
	     compress(b"Five!" + INNER[5:], INNER_WINDOW), "chunk-plain")
	case("nothing-behind", "nothing behind the recipe", good_recipe)
	case("trailing", "a byte behind the frame", good_recipe + plain + b"\0")
	case("cut", "a recipe that ends within a number", good_recipe[:-1] + b"\xff")
	case("long-number", "a number longer than need be", number(0) + b"\x8f\0" + good_recipe[2:] + plain)
	case("empty", "half a recipe", good_recipe[:2])
	case("diff-no-frame", "a diff program that is no frame", recipe(1, 15, BLOCKS, PIECES) + b"no frame")


def in_window(v):
	plain = compress(INNER, INNER_WINDOW)

	def case(name, what, blocks):
		v.add("blocks-" + name, "patch-decode", what, pair(v, recipe(0, 15, blocks, PIECES) + plain).build())

	def at(stored, *more):
		return [(CODE.index(stored), len(stored), 0), *more]

	case("beyond", "a block that ends behind the window", BLOCKS[:2] + [(20480 - 150 - len(FRAME) - 9, 10, 1)])
	case("gap-beyond", "a gap that ends behind the window", [(20481, 1, 1)])
	case("at-end", "a block that begins at the end of the window", [(20480, 1, 1)])
	case("gap-huge", "a gap of 2^62 bytes", [(1 << 62, 1, 1)])
	case("empty-block", "a block of no bytes", [(0, 0, 1)] + BLOCKS)
	case("no-frame", "a block that is no frame", [(0, 100, 0), (0,) + BLOCKS[0][1:]] + BLOCKS[1:])
	case("half-frame", "half a frame in a block", [(100, len(FRAME) - 1, 0)])
	case("frame-and-more", "a byte behind a block's frame", [(100, len(FRAME) + 1, 0)])
	case("frame-checksum", "a block with a checksum", at(CHECKSUM))
	case("frame-unsaid", "a block that does not state its length", at(UNSAID))
	case("above-4-mib", "a block of more than 4 MiB", at(LARGE))
	case("together-above-4-mib", "blocks of more than 4 MiB in all", at(HALF, (0, len(HALF), 0)))
	case("one-above-4-mib", "4 MiB of blocks, and a byte as it is", at(FULL, (0, 1, 1)))
