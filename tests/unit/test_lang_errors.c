/* Every text in data/errors is refused with exactly the messages in the file beside it. */
#include <dirent.h>

#include "lang_env.h"

static char *slurp(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	char *text = calloc(1, 1 << 16);
	*len = fread(text, 1, (1 << 16) - 1, file);
	fclose(file);
	return text;
}

static void test_messages(void **state)
{
	(void)state;
	static struct lang_world world = {.holds = "arch x86_64"};
	const struct policy_env env = lang_env(&world);
	const char *const dir = SOURCE_DIR "/tests/unit/data/errors";
	DIR *names = opendir(dir);
	assert_non_null(names);
	unsigned n = 0;
	struct dirent *entry;
	while ((entry = readdir(names))) {
		char *dot = strrchr(entry->d_name, '.');
		if (!dot || strcmp(dot, ".policy") != 0)
			continue;
		char path[1024];
		size_t len, expected_len;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		char *text = slurp(path, &len);
		(void)snprintf(path, sizeof(path), "%s/%.*s.expected", dir, (int)(dot - entry->d_name), entry->d_name);
		char *expected = slurp(path, &expected_len);
		char *messages = lang_complaints(&env, "t.policy", text, len, false);
		if (strcmp(messages, expected) != 0)
			fail_msg("%s\n--- expected\n%s--- got\n%s", entry->d_name, expected, messages);
		free(messages);
		free(expected);
		free(text);
		n++;
	}
	closedir(names);
	assert_true(n >= 35);
}

static void test_twenty(void **state)
{
	(void)state;
	char text[4096] = "syntax 1;\nfiles {\n";
	for (int i = 0; i < 25; i++)
		strcat(text, "allow nonsense /a;\n");
	strcat(text, "}\n");
	static struct lang_world world;
	const struct policy_env env = lang_env(&world);
	struct policy *policy = NULL;
	struct policy_diags diags = {0};
	assert_int_equal(policy_load_text(&policy, &env, "t.policy", text, strlen(text), &diags), -EINVAL);
	assert_int_equal(diags.n, 20);
	assert_int_equal(diags.errors, 25);
	char *messages = lang_messages(&diags, policy);
	assert_non_null(strstr(messages, "usher: 5 more errors are not shown\n"));
	free(messages);
	policy_diags_free(&diags);
	policy_free(policy);
}

/* A long line is shown around the mistake, and the caret still stands under it. */
static void test_long_line(void **state)
{
	(void)state;
	char text[2048] = "syntax 1; ";
	for (int i = 0; i < 40; i++)
		strcat(text, "set $a = /somewhere; ");
	strcat(text, "nonsense;");
	static struct lang_world world;
	const struct policy_env env = lang_env(&world);
	char *messages = lang_complaints(&env, "t.policy", text, strlen(text), false);
	char *line = strstr(messages, " | "), *caret = strstr(messages, "^");
	assert_non_null(line);
	assert_non_null(caret);
	char *caret_line = strstr(line + 1, " | ");
	assert_non_null(caret_line);
	assert_true(strncmp(line + (caret - caret_line), "nonsense", 8) == 0);
	assert_true(strlen(messages) < 600);
	free(messages);
}

static void test_colour(void **state)
{
	(void)state;
	struct policy *policy = NULL;
	struct policy_diags diags = {0};
	assert_int_equal(policy_load_text(&policy, NULL, "t.policy", "x", 1, &diags), -EINVAL);
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	policy_diags_print(&diags, policy, to, true);
	fclose(to);
	assert_non_null(strstr(text, "\033[1;31merror:\033[0m"));
	free(text);
	policy_diags_free(&diags);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_twenty),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_colour),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
