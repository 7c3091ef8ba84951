#include "calls/image.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"

#ifdef __x86_64__
#define IMAGE_MACHINE EM_X86_64
#else
#define IMAGE_MACHINE EM_AARCH64
#endif
#define PHDRS_MAX 65536u	/* bytes, as the kernel's */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int image_script(const char *head, size_t len, struct image *image)
{
	char line[IMAGE_HEAD + 1] = { 0 };
	const char *end, *name, *stop;

	if (len > IMAGE_HEAD)
		len = IMAGE_HEAD;
	memcpy(line, head, len);	/* the kernel's buffer is zeroed past the end of the file too */
	end = memchr(line, '\n', IMAGE_HEAD);
	name = line + 2;
	if (!end) {
		/* Without an end of line the name must have one, or it may have been cut off. */
		end = line + IMAGE_HEAD - 1;
		while (name < end && is_blank(*name))
			name++;
		stop = name;
		while (stop < end && *stop && !is_blank(*stop))
			stop++;
		if (name == end || stop == end)
			return -ENOEXEC;
	}
	while (name < end && is_blank(*name))
		name++;
	stop = name;
	while (stop < end && *stop && !is_blank(*stop))
		stop++;
	if (stop == name)
		return -ENOEXEC;
	memcpy(image->interpreter, name, (size_t)(stop - name));
	image->interpreter[stop - name] = '\0';
	image->kind = IMAGE_SCRIPT;
	return 0;
}

static bool elf_soname(int fd, const Elf64_Phdr *dynamic)
{
	Elf64_Dyn entry[64];
	uint64_t size = dynamic->p_filesz < sizeof(entry) ? dynamic->p_filesz : sizeof(entry);
	ssize_t n = pread(fd, entry, (size_t)size, (off_t)dynamic->p_offset);

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(entry[0]); i++)
		if (entry[i].d_tag == DT_SONAME)
			return true;
	return false;
}

/*
 * A loader is what can be executed and has no interpreter, and is a shared object: it has a soname. A static
 * position-independent program has none.
 */
static int elf_read(int fd, const Elf64_Ehdr *ehdr, struct image *image)
{
	size_t size = (size_t)ehdr->e_phnum * sizeof(Elf64_Phdr);
	bool interpreter = false, soname = false;
	AUTO_FREE void *memory = NULL;
	Elf64_Phdr *phdr;

	if (ehdr->e_phentsize != sizeof(Elf64_Phdr) || !size || size > PHDRS_MAX)
		return -ENOEXEC;
	phdr = memory = malloc(size);
	if (!phdr)
		return -ENOMEM;
	if (pread(fd, phdr, size, (off_t)ehdr->e_phoff) != (ssize_t)size)
		return -ENOEXEC;
	for (unsigned i = 0; i < ehdr->e_phnum; i++) {
		interpreter |= phdr[i].p_type == PT_INTERP;
		if (phdr[i].p_type == PT_DYNAMIC)
			soname |= elf_soname(fd, &phdr[i]);
	}
	image->kind = ehdr->e_type == ET_DYN && !interpreter && soname ? IMAGE_LOADER : IMAGE_ELF;
	return 0;
}

int image_read(int fd, struct image *image)
{
	union {
		char head[IMAGE_HEAD];
		Elf64_Ehdr ehdr;
	} file = { .head = { 0 } };
	ssize_t n = pread(fd, file.head, sizeof(file.head), 0);

	image->kind = IMAGE_NONE;
	if (n < 0)
		return -errno;
	if (n >= 2 && !memcmp(file.head, "#!", 2))
		return image_script(file.head, (size_t)n, image);
	if ((size_t)n < sizeof(file.ehdr) || memcmp(file.head, ELFMAG, SELFMAG))
		return -ENOEXEC;
	/* A 32-bit program starts and is killed at its first call, as every foreign ABI. */
	if (file.ehdr.e_ident[EI_CLASS] != ELFCLASS64) {
		image->kind = IMAGE_ELF;
		return 0;
	}
	if (file.ehdr.e_machine != IMAGE_MACHINE || (file.ehdr.e_type != ET_EXEC && file.ehdr.e_type != ET_DYN))
		return -ENOEXEC;
	return elf_read(fd, &file.ehdr, image);
}
