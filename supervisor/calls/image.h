/* What the kernel would make of a file that is executed: binfmt_script and binfmt_elf, as far as a decision
 * needs it. */
#ifndef USHER_CALLS_IMAGE_H
#define USHER_CALLS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#define IMAGE_HEAD 256		/* BINPRM_BUF_SIZE: what the kernel looks at */

enum image_kind {
	IMAGE_NONE,	/* ENOEXEC: no format of ours; handlers of binfmt_misc are not known here */
	IMAGE_ELF,
	IMAGE_LOADER,	/* an ELF shared object that loads others: it would run whatever it is told to */
	IMAGE_SCRIPT,
};

struct image {
	enum image_kind kind;
	char interpreter[IMAGE_HEAD];	/* of a script */
};

/* What FD, a regular file open for reading, is. 0, -ENOEXEC, or -errno of reading it. */
int image_read(int fd, struct image *image);
/* A script's first line, from the beginning of the file: 0 or -ENOEXEC. */
int image_script(const char *head, size_t len, struct image *image);

#endif
