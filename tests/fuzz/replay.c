/* Runs a fuzz target over the files named, or those in the directories named: the corpus as a plain test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return -1;
	}
	uint8_t *data = NULL;
	size_t size = 0, got;
	do {
		uint8_t *more = realloc(data, size + 65536);
		if (!more) {
			free(data);
			fclose(file);
			return -1;
		}
		data = more;
		got = fread(data + size, 1, 65536, file);
		size += got;
	} while (got);
	fclose(file);
	/* A buffer of the very size, so that a sanitizer sees the first byte beyond it. */
	uint8_t *exact = malloc(size ? size : 1);
	if (exact) {
		memcpy(exact, data, size);
		LLVMFuzzerTestOneInput(exact, size);
	}
	free(exact);
	free(data);
	return exact ? 1 : -1;
}

static int replay_directory(const char *path)
{
	DIR *dir = opendir(path);
	if (!dir) {
		perror(path);
		return -1;
	}
	int n = 0;
	struct dirent *entry;
	while (n >= 0 && (entry = readdir(dir))) {
		char file[4096];
		struct stat st;
		if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) >= (int)sizeof(file) || stat(file, &st) ||
		    !S_ISREG(st.st_mode))
			continue;
		n = replay_file(file) < 0 ? -1 : n + 1;
	}
	closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		int n = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? replay_directory(argv[i]) : replay_file(argv[i]);
		if (n < 0)
			return 1;
		total += n;
	}
	printf("%d inputs\n", total);
	/* An empty corpus would be a test that cannot fail. */
	return total ? 0 : 1;
}
