/* What a file would be as a program: as binfmt_script and binfmt_elf see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls/image.h"
#include "err.h"
#include "fd.h"

static int image_of(const void *data, size_t len, struct image *image)
{
	AUTO_FD fd = memfd_create("image", MFD_CLOEXEC);

	assert_int_equal(write(fd, data, len), (ssize_t)len);
	return image_read(fd, image);
}

static void test_scripts(void **state)
{
	static const struct { const char *text, *interpreter; } cases[] = {
		{ "#!/bin/sh\n", "/bin/sh" },
		{ "#! \t/bin/sh -e \nexit\n", "/bin/sh" },
		{ "#!sh\n", "sh" },
		{ "#!/bin/sh", "/bin/sh" },	/* the file ends: the kernel sees a zero behind it */
		{ "#!/bin/sh arg without an end of line", "/bin/sh" },
		{ "#!\n", NULL },
		{ "#!  \t \n/bin/sh\n", NULL },
	};
	char cut[400] = "#!/";
	struct image image;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = image_of(cases[i].text, strlen(cases[i].text), &image);

		assert_int_equal(err, cases[i].interpreter ? 0 : -ENOEXEC);
		if (err)
			continue;
		assert_int_equal(image.kind, IMAGE_SCRIPT);
		assert_string_equal(image.interpreter, cases[i].interpreter);
	}
	/* A name that may go on behind what the kernel reads is refused, not cut off. */
	memset(cut + 3, 'a', sizeof(cut) - 3);
	assert_int_equal(image_of(cut, sizeof(cut), &image), -ENOEXEC);
	cut[250] = ' ';
	assert_int_equal(image_of(cut, sizeof(cut), &image), 0);
	assert_int_equal(strlen(image.interpreter), 248);
	cut[250] = 'a';
	cut[255] = '\n';
	assert_int_equal(image_of(cut, sizeof(cut), &image), 0);
	assert_int_equal(strlen(image.interpreter), 253);
}

static void test_neither(void **state)
{
	struct image image;
	char elf[64] = ELFMAG;

	(void)state;
	assert_int_equal(image_of("", 0, &image), -ENOEXEC);
	assert_int_equal(image_of("#", 1, &image), -ENOEXEC);
	assert_int_equal(image_of("echo\n", 5, &image), -ENOEXEC);
	elf[EI_CLASS] = ELFCLASS64;
	assert_int_equal(image_of(elf, sizeof(elf), &image), -ENOEXEC);
	assert_int_equal(image_of(elf, 20, &image), -ENOEXEC);
}

/* Files of this very system. */
static void test_programs(void **state)
{
	struct image image;
	AUTO_FD self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO_FD loader = -1;

	(void)state;
	assert_int_equal(image_read(self, &image), 0);
	assert_int_equal(image.kind, IMAGE_ELF);
	/* Whichever loader this program was started by: it is the object without an interpreter and with a
	 * soname. */
	for (struct link_map *map = _r_debug.r_map; map; map = map->l_next)
		if (strstr(map->l_name, "/ld-"))
			loader = open(map->l_name, O_RDONLY | O_CLOEXEC);
	assert_true(loader >= 0);
	assert_int_equal(image_read(loader, &image), 0);
	assert_int_equal(image.kind, IMAGE_LOADER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_neither),
		cmocka_unit_test(test_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
