/* Any text as a policy: it must be read or refused, without a crash, a leak or a hang. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const char *text;
	size_t len;
};

/* Whatever is included is this text again, under one of two names, so that circles and diamonds happen. */
static int fuzz_read(void *ctx, const char *path, char **text, size_t *len)
{
	const struct input *input = ctx;
	if (!strstr(path, "a.policy") && !strstr(path, "b.policy"))
		return -ENOENT;
	*text = malloc(input->len + 1);
	if (!*text)
		return -ENOMEM;
	memcpy(*text, input->text, input->len);
	*len = input->len;
	return 0;
}

static int fuzz_resolve(void *ctx, const char *path, char **resolved)
{
	(void)ctx;
	*resolved = NULL;
	int n = strncmp(path, "/bin", 4) == 0 ? asprintf(resolved, "/usr%s", path) : asprintf(resolved, "%s", path);
	return n < 0 ? -ENOMEM : 0;
}

static int fuzz_predicate(void *ctx, const char *what, const char *op, const char *value)
{
	(void)ctx;
	(void)what;
	(void)op;
	return strlen(value) % 2 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const dirs[] = {"/etc/usher", NULL};
	struct input input = {(const char *)data, size};
	struct policy_env env = {.ctx = &input, .read = fuzz_read, .resolve = fuzz_resolve, .predicate = fuzz_predicate,
				 .include_dirs = dirs, .mode_log = size % 7 == 0};
	struct policy_diags diags = {0};
	struct policy *policy = NULL;
	if (policy_load_text(&policy, &env, "fuzz.policy", (const char *)data, size, &diags) == 0) {
		policy_lint(policy, &env, &diags);
		policy_test_run(policy, &env, NULL, NULL);
		policy_decide_path(policy, OP_BIT(OP_READ) | OP_BIT(OP_WRITE), "/srv/www/a.html", 15);
	}
	FILE *null = fopen("/dev/null", "w");
	if (null) {
		policy_diags_print(&diags, policy, null, true);
		fclose(null);
	}
	policy_diags_free(&diags);
	policy_free(policy);
	return 0;
}
