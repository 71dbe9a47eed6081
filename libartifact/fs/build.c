// SPDX-License-Identifier: Apache-2.0
/* From a directory or a tarball to an image. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libartifact/fs/build_internal.h"
#include "libartifact/io.h"
#include "libartifact/util.h"

int art_temp_file(int *fd, const char *directory, struct art_err *err)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp && tmp[0])
		directory = tmp;
	if (!directory || !directory[0])
		directory = "/var/tmp";
	*fd = art_open_unnamed(directory);
	if (*fd < 0)
		return art_fail_errno(err, ART_E_IO, "cannot make a temporary file in '%s'", directory);
	return 0;
}

static int read_source(struct art_tree *tree, const char *source, const char *directory,
		       struct art_err *err)
{
	struct stat st;
	int ret;

	if (strcmp(source, "-") != 0) {
		if (stat(source, &st) != 0)
			return art_fail_errno(err, ART_E_IO, "cannot read '%s'", source);
		if (S_ISDIR(st.st_mode))
			return art_tree_read_directory(tree, source, err);
	}
	ret = art_temp_file(&tree->spool, directory, err);
	return ret ? ret : art_tree_read_tar(tree, source, err);
}

static int build(int fd, uint64_t *size, const char *source, const char *directory,
		 const struct art_build_options *opt, struct art_err *err)
{
	bool ext4 = strcmp(opt->filesystem, "ext4") == 0;
	struct art_tree tree;
	int ret;

	if (!ext4 && strcmp(opt->filesystem, "squashfs") != 0)
		return art_fail(err, ART_E_USAGE, "cannot make a filesystem of type '%s'", opt->filesystem);
	ret = art_tree_init(&tree, opt->time, err);
	if (ret != 0)
		return ret;
	ret = read_source(&tree, source, directory, err);
	if (ret == 0)
		ret = ext4 ? art_build_ext4(fd, size, &tree, source, opt, err) :
			     art_build_squashfs(fd, size, &tree, opt, err);
	art_tree_free(&tree);
	return ret;
}

int art_build_image(int *fd, uint64_t *size, const char *source, const char *directory,
		    const struct art_build_options *opt, struct art_err *err)
{
	int ret;

	*fd = -1;
	*size = 0;
	ret = art_temp_file(fd, directory, err);
	if (ret != 0)
		return ret;
	ret = build(*fd, size, source, directory, opt, err);
	if (ret != 0) {
		close(*fd);
		*fd = -1;
	}
	return ret;
}

int art_build_tree(int *fd, uint64_t *size, struct art_tree *tree, const char *name,
		   const char *directory, const struct art_build_options *opt,
		   struct art_err *err)
{
	int ret = art_temp_file(fd, directory, err);

	*size = 0;
	if (ret != 0)
		return ret;
	ret = art_build_ext4(*fd, size, tree, name, opt, err);
	if (ret != 0)
		art_cleanup_close(fd);
	return ret;
}
