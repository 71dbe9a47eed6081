// SPDX-License-Identifier: Apache-2.0
/*
 * GRUB for BIOS, as grub-bios-setup would embed it on a real disk: boot.img's code loads the first sector of core.img by
 * its number, and that sector loads the rest by the block list at its end. Both numbers are known once the
 * partition has its place.
 */
#include <string.h>

#include "libartifact/util.h"
#include "mkartifact/disk.h"

/* In boot.img: the first sector of core.img, and the jump that trusts the BIOS with the drive's number. */
#define KERNEL_SECTOR 0x5c
#define DRIVE_CHECK 0x66
/* In the first sector of core.img: first sector (8 bytes) and number (2) of the rest, and the segment it goes to. */
#define BLOCKLIST 0x1f4
#define SEGMENT 0x820
#define SECTORS_MAX 0xffff
#define NOP 0x90

static int write_boot(struct disk *d, const struct disk_part *p, struct art_err *err)
{
	cleanup_free uint8_t *bytes = NULL;
	size_t len;
	int code = art_read_file(p->boot, DISK_SECTOR, &bytes, &len, err);

	if (code < 0)
		return code;
	if (len != DISK_SECTOR || art_get16(bytes + 510) != 0xaa55)
		return art_fail(err, ART_E_USAGE, "'%s' is not a boot.img of GRUB: it is no boot sector",
				p->boot);
	art_put64(bytes + KERNEL_SECTOR, p->start / DISK_SECTOR);
	bytes[DRIVE_CHECK] = bytes[DRIVE_CHECK + 1] = NOP;
	return disk_boot_code(d, p->boot, bytes, len, err);
}

int disk_grub_write(struct disk *d, const struct disk_part *p, struct art_err *err)
{
	const char *path = p->files.list[0].path;
	cleanup_free uint8_t *bytes = NULL;
	size_t len, sectors;
	int code = art_read_file(path, (size_t)SECTORS_MAX * DISK_SECTOR, &bytes, &len, err);

	if (code < 0)
		return code;
	sectors = (len + DISK_SECTOR - 1) / DISK_SECTOR;
	if (sectors < 2 || art_get16(bytes + BLOCKLIST + 10) != SEGMENT)
		return art_fail(err, ART_E_USAGE, "'%s' is not a core.img of grub-mkimage -O i386-pc", path);
	if (len > p->size)
		return art_fail(err, ART_E_SOURCE_CHANGED, "'%s' became longer", path);
	art_put64(bytes + BLOCKLIST, p->start / DISK_SECTOR + 1);
	art_put16(bytes + BLOCKLIST + 8, (uint16_t)(sectors - 1));
	code = art_pwrite_full(d->out.fd, bytes, len, p->start, d->out.path, err);
	if (code == 0)
		code = disk_bmap_add(d->bmap, p->start, len, err);
	return code < 0 || !p->boot ? code : write_boot(d, p, err);
}
