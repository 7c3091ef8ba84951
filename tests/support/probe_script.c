/* Scripts of the probe: "LINE => answer" for each. */
#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 32
#define WORD_MAX 70000

static char *repeat(char *to, const char **from)
{
	char *end;
	unsigned long times = strtoul(*from + 1, &end, 10);
	const char *text = end + 1, *stop = strchr(text, '>');
	CHECK(*end == '*' && stop);
	for (unsigned long i = 0; i < times; i++)
		to = (char *)mempcpy(to, text, (size_t)(stop - text));
	*from = stop + 1;
	return to;
}

static char *expand(const char *word)
{
	char *text = malloc(WORD_MAX), *to = text;
	CHECK(text);
	while (*word) {
		CHECK(to - text < WORD_MAX - 10000);
		if (*word == '<' && isdigit((unsigned char)word[1])) {
			to = repeat(to, &word);
		} else if (word[0] == '\\' && word[1] == 'x') {
			const char hex[3] = { word[2], word[3], '\0' };
			*to++ = (char)strtoul(hex, NULL, 16);
			word += 4;
		} else if (word[0] == '\\' && word[1] == 'e') {
			word += 2;
		} else if (word[0] == '\\' && word[1] == 's') {
			*to++ = ' ';
			word += 2;
		} else {
			*to++ = *word++;
		}
	}
	*to = '\0';
	return text;
}

/* One line of words as a command. */
static int run_line(char *line)
{
	char *words[WORDS_MAX + 1], *save = NULL;
	int n = 0;
	for (char *word = strtok_r(line, " \t", &save); word && n < WORDS_MAX; word = strtok_r(NULL, " \t", &save))
		words[n++] = expand(word);
	words[n] = NULL;
	int status = n ? run_command(words, n) : 0;
	for (int i = 0; i < n; i++)
		free(words[i]);
	return status;
}

/* again N cat PATH: "ok N" if something could be read each time. */
void cmd_again(char **arg)
{
	long n = number(arg[0]), good = 0;
	for (long i = 0; i < n; i++) {
		char byte;
		int fd = open(arg[2], O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, &byte, 1) == 1)
			good++;
		if (fd >= 0)
			close(fd);
	}
	answer(good == n ? n : -1);
}

int run_talk(void)
{
	char line[4096];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		int status = run_line(line);
		if (status)
			return status;
		fflush(stdout);
	}
	return 0;
}

int run_script(void)
{
	char *line = NULL;
	size_t size = 0;
	/* The input is read at once, so that the script may close or replace descriptor 0. */
	size_t have = 0, room = 1 << 18;
	char *all = malloc(room);
	CHECK(all);
	for (ssize_t n; (n = (ssize_t)fread(all + have, 1, room - have, stdin)) > 0;)
		have += (size_t)n;
	FILE *from = have ? fmemopen(all, have, "r") : NULL;
	CHECK(from);
	while (getline(&line, &size, from) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		printf("%s => ", line);
		fflush(stdout);
		int status = run_line(line);
		if (status)
			return status;
	}
	free(line);
	fclose(from);
	free(all);
	return 0;
}

void probe_check(int holds, const char *what, int line)
{
	int err = errno;
	if (holds)
		return;
	printf("FAILED line %d: %s (%s)\n", line, what, strerror(err));
	fflush(stdout);
	_Exit(3);
}
