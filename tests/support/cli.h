/* What the tests of the command line share. */
#ifndef USHER_TESTS_CLI_H
#define USHER_TESTS_CLI_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

#define usher(live, ...) live_usher_run((live), (const char *const[]){ __VA_ARGS__, NULL })

static const char good[] __attribute__((unused)) = "files {\n"
			   "	default deny ENOENT;\n"
			   "	allow ro $dir/www/ beneath;\n"
			   "	deny ro $dir/www/**/.git/;\n"
			   "	deny ro $dir/www/private/ stage log;\n"
			   "	forbid read $dir/www/secret note \"ask the owner\";\n"
			   "	allow read $dir/other;\n"
			   "}\n"
			   "syscalls { default allow; deny EPERM @debug; }\n"
			   "test {\n"
			   "	expect allow read $dir/www/index.html;\n"
			   "	expect deny read $dir/www/.git/config;\n"
			   "	expect deny read $dir/www/private/x;\n"
			   "	never allow write $dir/www/**;\n"
			   "}\n";

#define assert_says(text, part)                                                                              \
	do {                                                                                                 \
		if (!strstr((text), (part))) {                                                               \
			print_error("'%s' is not in:\n%s\n", (part), (text));                                \
			fail();                                                                              \
		}                                                                                            \
	} while (0)

/* A policy of its own name, beside that of live_policy(). */
static inline const char *policy_file(const struct live *live, const char *name, const char *rules)
{
	char text[2048];
	snprintf(text, sizeof(text), "syntax 1;\npolicy %s;\nset $dir = %s;\n%s", name, live->dir, rules);
	return live_file(live, name, 0644, text);
}

static inline json_t *output_json(const struct live *live)
{
	json_error_t error;
	json_t *json = json_loads(live->out, 0, &error);
	if (!json) {
		print_error("%s in:\n%s\n", error.text, live->out);
		fail();
	}
	assert_int_equal(json_integer_value(json_object_get(json, "schema")), 1);
	return json;
}

static inline const char *text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text ? text : "(none)";
}

#endif
