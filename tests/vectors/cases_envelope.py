# SPDX-License-Identifier: Apache-2.0
"""Faults of the archive around the signed bytes, and of manifest.sig."""

from kit import (Artifact, Payload, Segment, noise, pad_manifest, pad_to, prose,
		 pss_options, raw, set_field, sig_line, tar, tar_header, zstd)

HEADER_FIELDS = (
	("mode", 100, b"0000755\0"), ("mode-spaces", 100, b"   644 \0"), ("uid", 108, b"0001750\0"),
	("gid", 116, b"0000001\0"), ("mtime", 136, b"14715360000\0"), ("type-old", 156, b"\0"),
	("type-link", 156, b"1"), ("type-symlink", 156, b"2"), ("type-directory", 156, b"5"),
	("type-contiguous", 156, b"7"), ("type-pax", 156, b"x"), ("type-pax-global", 156, b"g"),
	("type-gnu-long", 156, b"L"), ("type-sparse", 156, b"S"), ("linkname", 157, b"x"),
	("linkname-last-byte", 256, b"x"), ("magic-gnu", 257, b"ustar  \0"),
	("magic-none", 257, bytes(8)), ("version", 263, b"01"), ("uname", 265, b"root"),
	("gname", 297, b"root"), ("devmajor", 329, bytes(8)), ("devminor", 337, b"0000001\0"),
	("prefix", 345, b"payload"), ("padding", 511, b"\1"))
SIZE_FIELDS = (  # of manifest.json
	("spaces", b"      10000\0"), ("base-256", b"\x80" + bytes(9) + b"\x10\0"),
	("no-nul", b"00000010000 "), ("not-octal", b"0000001000\x38\0"), ("zero", b"00000000000\0"),
	("4095", b"00000007777\0"), ("4097", b"00000010001\0"), ("6144", b"00000014000\0"),
	("above-256-kib", b"%011o\0" % (260 << 10)), ("2-31", b"%011o\0" % (1 << 31)),
	("2-32", b"%011o\0" % (1 << 32)), ("2-33-1", b"77777777777\0"))


def headers(v):
	art = v.base()
	members = art.members()
	edit = lambda number, change: tar(members, edits={number: change})
	for place, (name, offset, data) in enumerate(HEADER_FIELDS):
		# Spread over the members: the rules hold for each of them.
		v.add("tar-header-" + name, "tar-header", "'%s' of a header, checksum right" % name,
		      edit(place % 4, set_field(offset, data)))
	for name, field in SIZE_FIELDS:
		v.add("tar-size-manifest-" + name, "tar-size", "size field of manifest.json: " + name,
		      edit(0, set_field(124, field)))
	for name, number, size in (("sig-zero", 1, 0), ("sig-above-64-kib", 1, 68 << 10),
				   ("index-less", 2, 95), ("index-more", 2, 97), ("data-less", 3, 511),
				   ("data-more", 3, 513), ("data-2-31", 3, (1 << 31) + 512),
				   ("data-2-32", 3, (1 << 32) + 512), ("data-2-33-1", 3, (1 << 33) - 1)):
		v.add("tar-size-" + name, "tar-size", "size of a member: %d" % size,
		      edit(number, set_field(124, b"%011o\0" % size)))
	v.add("tar-size-index-spaces", "tar-size", "size field of an index with spaces",
	      edit(2, set_field(124, b"        140\0")))

	def no_fix(offset, data):
		return lambda block: block[:offset] + data + block[offset + len(data):]

	digits = tar_header("manifest.json", 4096)[148:154]
	for name, number, change in (
			("flipped", 0, no_fix(0, b"l")), ("flipped-data", 3, no_fix(130, b"1")),
			("zero", 0, no_fix(148, bytes(8))), ("blank", 1, no_fix(148, b" " * 8)),
			("form", 0, no_fix(148, b"0" + digits + b"\0")),
			("spaces", 0, no_fix(148, b" " + digits[1:] + b"\0 "))):
		v.add("tar-checksum-" + name, "tar-checksum", "checksum field: " + name,
		      edit(number, change))
	for name, number, data in (("dot-slash", 0, b"./manifest.json"),
				   ("absolute", 2, b"/payload/rootfs/0000.index"),
				   ("after-nul", 0, b"manifest.json\0x"), ("case", 0, b"Manifest.json"),
				   ("segment", 2, b"payload/rootfs/0001.index"),
				   ("dots", 3, b"payload/rootfs/../rootfs/0000.data"),
				   ("full-field", 3, b"p" * 100), ("empty", 1, bytes(20))):
		v.add("tar-name-" + name, "tar-name", "a member's name: " + name,
		      edit(number, set_field(0, data)))


def order(v):
	art = v.base()
	members = art.members()
	first, second, index, data = members
	v.add("tar-name-swapped", "tar-name", "signature before manifest",
	      tar([second, first, index, data]))
	v.add("tar-name-data-first", "tar-name", "data before index", tar([first, second, data, index]))
	v.add("tar-name-manifest-twice", "tar-name", "a second manifest.json in place of manifest.sig",
	      tar([first, first, index, data]))
	v.add("tar-header-pax-member", "tar-header", "a pax header member in front",
	      tar([("pax", b"20 path=manifest.json\n")] + members,
		  edits={0: set_field(156, b"x")}))
	v.add("tar-trailing-extra-member", "tar-trailing", "a member more",
	      tar(members + [("extra", b"x")]))
	v.add("tar-trailing-twice", "tar-trailing", "the whole archive twice", tar(members) * 2)
	v.add("tar-trailing-byte", "tar-trailing", "one byte more", tar(members) + b"\0")
	v.add("tar-trailing-block", "tar-trailing", "a third zero block", tar(members) + bytes(512))
	v.add("tar-trailing-record", "tar-trailing", "padded to a record of 10 KiB",
	      pad_to(tar(members), 10240, b"\0"))
	v.add("tar-truncated-member", "tar-truncated", "no data member", tar([first, second, index]))
	v.add("tar-truncated-one-end-block", "tar-truncated", "one end block",
	      tar(members, end=bytes(512)))
	v.add("tar-truncated-no-end", "tar-truncated", "no end block", tar(members, end=b""))
	for length in (0, 1, 511, 512, 4000, 4608, 5120, 9000, 9216, len(tar(members)) - 1):
		v.add("tar-truncated-%d" % length, "tar-truncated", "the first %d bytes" % length,
		      tar(members)[:length])
	v.add("tar-end-zeros", "tar-end", "nothing but zero bytes", bytes(2048))
	v.add("tar-end-before-sig", "tar-end", "zero block where manifest.sig is due",
	      tar(members, edits={1: lambda block: bytes(512)}))
	v.add("tar-end-before-index", "tar-end", "zero block where an index is due",
	      tar(members, edits={2: lambda block: bytes(512)}))
	v.add("tar-end-before-data", "tar-end", "zero block where a data member is due",
	      tar(members, edits={3: lambda block: bytes(512)}))
	v.add("tar-end-first-block", "tar-end", "a bit in the first end block",
	      tar(members, end=b"\0\1" + bytes(1022)))
	v.add("tar-end-last-byte", "tar-end", "a bit in the last byte of the file",
	      tar(members, end=bytes(1023) + b"\x80"))
	docs = Artifact([Payload([Segment([raw(noise("pad", 500), True), raw(b"x" * 12)])]),
			 Payload([Segment([raw(noise("pad2", 512), True)])], name="boot",
				 kind="boot-image")], [v.a], docs=[("a", b"a"), ("b", b"bb")])
	members = docs.members()
	v.add("tar-padding-index", "tar-padding", "a bit after an index",
	      tar(members, paddings={2: lambda p: p[:-1] + b"\1"}))
	v.add("tar-padding-index-first", "tar-padding", "the first padding byte, of the second payload",
	      tar(members, paddings={4: lambda p: b"\x80" + p[1:]}))
	v.add("tar-padding-doc", "tar-padding", "a bit after a document",
	      tar(members, paddings={7: lambda p: b"\1" + p[1:]}))
	v.add("tar-name-docs-swapped", "tar-name", "documents in another order",
	      tar(members[:-2] + [members[-1], members[-2]]))
	v.add("tar-name-payloads-swapped", "tar-name", "payloads in another order",
	      tar(members[:2] + members[4:6] + members[2:4] + members[6:]))
	packed = Artifact([Payload([Segment([zstd(prose("packed", 1024), group=True)])])], [v.a])
	v.add("tar-padding-data", "tar-padding", "a bit after a data member",
	      tar(packed.members(), paddings={3: lambda p: p[:-1] + b"\x10"}))


def sig_syntax(v):
	art = v.base()
	manifest = art.members()[0][1]
	line = v.a.line(manifest)
	algorithm, key_id, text = line[:-1].split(b" ")
	join = lambda *fields: b" ".join(fields) + b"\n"
	assert text.endswith(b"==")
	loose = text[:-3] + bytes([text[-3] + 1]) + b"=="
	cases = (
		("cr", line[:-1] + b"\r\n"), ("double-space", line.replace(b" ", b"  ", 1)),
		("tab", line.replace(b" ", b"\t", 1)), ("leading-space", b" " + line),
		("trailing-space", line[:-1] + b" \n"), ("leading-empty-line", b"\n" + line),
		("empty-line-between", line + b"\n" + line), ("bad-base64", join(algorithm, key_id,
										 b"*" + text[1:])),
		("base64-url", join(algorithm, key_id, b"-_" + text[2:])),
		("not-canonical", join(algorithm, key_id, loose)),
		("no-base64-padding", join(algorithm, key_id, text.rstrip(b"="))),
		("base64-too-padded", join(algorithm, key_id, text + b"==")),
		("base64-concatenated", join(algorithm, key_id, text + text)),
		("empty-signature", join(algorithm, key_id, b"")), ("two-fields", join(algorithm, key_id)),
		("four-fields", join(algorithm, key_id, text, b"x")),
		("uppercase-id", join(algorithm, key_id.upper(), text)),
		("short-id", join(algorithm, key_id[:-1], text)),
		("long-id", join(algorithm, key_id + b"0", text)),
		("uppercase-algorithm", join(algorithm.upper(), key_id, text)),
		("long-algorithm", join(b"a" * 33, key_id, text)),
		("no-algorithm", b" " + join(key_id, text)), ("comment", b"# signed\n" + line),
		("33-lines", b"".join(sig_line("x", "%064x" % i, b"s") for i in range(32)) + line),
		("nul", line + b"\0\n"))
	for name, lines in cases:
		v.add("sig-syntax-" + name, "sig-syntax", "a line of manifest.sig: " + name,
		      art.build(lines=[lines]))
	v.add("sig-syntax-space-padding", "sig-syntax", "padded with spaces",
	      art.build(sig=pad_to(line, 4096, b" ")))
	v.add("sig-syntax-zero-padding", "sig-syntax", "padded with NUL",
	      art.build(sig=pad_to(line, 4096, b"\0")))
	v.add("sig-syntax-last-byte", "sig-syntax", "the last byte is not LF",
	      art.build(sig=pad_to(line, 4096, b"\n")[:-1] + b"x"))
	v.add("sig-syntax-long-signature", "sig-syntax", "a signature of 8193 bytes",
	      art.build(sig=pad_to(sig_line("x", "0" * 64, bytes(8193)) + line, 4096, b"\n")))
	v.add("sig-syntax-spaces", "sig-syntax", "nothing but spaces", art.build(sig=b" " * 4096))
	v.add("sig-none", "sig-none", "unsigned", art.build(lines=[]))
	v.add("sig-none-64-kib", "sig-none", "unsigned, with all the room that is allowed",
	      art.build(sig=b"\n" * 65536))


def wrong_signatures(v):
	art = v.base()
	manifest = art.members()[0][1]
	a = v.a
	signed = lambda text: art.build(lines=[a.line(manifest, a.sign_text(text))])
	good = a.sign_text(a.text(manifest))
	order = (1 << 252) + 27742317777372353535851937790883648493
	more_s = (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
	cases = [
		("patch-preamble", a.text(manifest, preamble="twinroot-patch-v1")),
		("next-preamble", a.text(manifest, preamble="twinroot-artifact-v2")),
		("without-padding", a.text(manifest.rstrip(b" "))),
		("other-algorithm-named", a.text(manifest, algorithm="ecdsa-p256-sha256")),
		("other-key-named", a.text(manifest, key_id=v.b.id)),
		("no-last-lf", a.text(manifest)[:-1]), ("crlf", a.text(manifest).replace(b"\n", b"\r\n")),
		("uppercase-digest", a.text(manifest)[:-129] + a.text(manifest)[-129:].upper()),
		("manifest-itself", manifest)]
	for name, text in cases:
		v.add("sig-invalid-" + name, "sig-invalid", "what was signed: " + name, signed(text))
	for name, signature in (("zero", bytes(64)), ("short", good[:-1]), ("long", good + b"\0"),
				("bit", good[:5] + bytes([good[5] ^ 4]) + good[6:]),
				("s-plus-order", good[:32] + more_s)):
		v.add("sig-invalid-ed25519-" + name, "sig-invalid", "Ed25519 signature: " + name,
		      art.build(lines=[a.line(manifest, signature)]))
	other = v.base(version="1.1")
	v.add("sig-invalid-other-manifest", "sig-invalid", "the signature of another artifact",
	      art.build(lines=[a.line(pad_manifest(b"{}"))]))
	v.add("sig-invalid-manifest-changed", "sig-invalid", "a manifest changed after signing",
	      other.build(lines=[a.line(manifest)]))
	v.add("sig-invalid-padding-changed", "sig-invalid", "a signed padding byte changed",
	      art.build(manifest=manifest[:-1] + b"\n", lines=[a.line(manifest)]))
	v.add("sig-invalid-not-json", "sig-invalid", "a bad manifest with a bad signature",
	      art.build(manifest=b"x" * 4096, lines=[a.line(manifest)]))
	swap = "ecdsa-p256-sha256"
	v.add("sig-invalid-algorithm-swapped", "sig-invalid", "a known key under another algorithm's name",
	      art.build(lines=[sig_line(swap, a.id, a.sign_text(a.text(manifest, algorithm=swap)))]))
	v.add("sig-invalid-algorithm-unknown", "sig-invalid", "a known key under an unknown algorithm",
	      art.build(lines=[sig_line("future-1", a.id, good)]))
	libcrypto_signatures(v, art, manifest)


def libcrypto_signatures(v, art, manifest):
	def add(signer, name, signature, what):
		v.add("sig-invalid-" + name, "sig-invalid", what,
		      art.build(lines=[signer.line(manifest, signature)]), keys="only-" + signer.name)

	rsa, text = v.rsa, v.rsa.text(manifest)
	add(rsa, "rsa-salt-20", rsa.sign_text(text, *pss_options(20)), "RSASSA-PSS with salt 20")
	add(rsa, "rsa-salt-0", rsa.sign_text(text, *pss_options(0)), "RSASSA-PSS without salt")
	add(rsa, "rsa-pkcs1", rsa.sign_text(text, "-sigopt", "rsa_padding_mode:pkcs1"),
	    "RSA with PKCS #1 v1.5 padding")
	add(rsa, "rsa-mgf1-sha512", rsa.sign_text(text, *pss_options(32)[:-1], "rsa_mgf1_md:sha512"),
	    "RSASSA-PSS with another mask generation")
	add(rsa, "rsa-zero", bytes(384), "RSA signature of zero bytes")
	ec, text = v.p256, v.p256.text(manifest)
	good = ec.sign_text(text)
	add(ec, "ecdsa-trailing", good + b"\0", "a byte after the DER of an ECDSA signature")
	add(ec, "ecdsa-long-length", b"\x30\x81" + good[1:], "ECDSA signature in BER, not DER")
	add(ec, "ecdsa-zero", bytes.fromhex("3006020100020100"), "ECDSA signature with r = s = 0")
	add(ec, "ecdsa-plain", bytes(64), "ECDSA signature as r and s without DER")
	add(v.p384, "ecdsa-p384-with-sha256", sign_with(v.p384, "sha256", v.p384.text(manifest)),
	    "P-384 over SHA-256")


def sign_with(signer, digest, text):
	saved, signer.algorithm = signer.algorithm, "ecdsa-" + digest
	try:
		return signer.sign_text(text)
	finally:
		signer.algorithm = saved


def add_all(v):
	headers(v)
	order(v)
	sig_syntax(v)
	wrong_signatures(v)
