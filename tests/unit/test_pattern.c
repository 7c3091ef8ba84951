#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pattern.h"

#include "../support/model.c"

static void each_row_matches_as_it_says(void **state)
{
	static const struct { const char *glob, *path; bool matches; } rows[] = {
		{ "/srv/www/", "/srv/www", true },
		{ "/srv/www/", "/srv/www/a/b", true },
		{ "/srv/www/", "/srv/wwwx", false },
		{ "/srv/www/", "/srv", false },
		{ "/srv/www/**", "/srv/www", true },
		{ "/srv/www/**", "/srv/www/x", true },
		{ "/srv/www", "/srv/www", true },
		{ "/srv/www", "/srv/www/x", false },
		{ "/", "/", true },
		{ "/", "/etc/passwd", true },
		{ "/**", "/", true },
		{ "/*", "/", false },
		{ "/*", "/etc", true },
		{ "/*", "/etc/x", false },
		{ "/srv/*", "/srv", false },
		{ "/srv/*", "/srv/.hidden", true },
		{ "/srv/*.html", "/srv/.html", true },
		{ "/srv/*.html", "/srv/a.html.html", true },
		{ "/srv/*.html", "/srv/a/b.html", false },
		{ "/srv/?", "/srv/a", true },
		{ "/srv/?", "/srv/ab", false },
		{ "/srv/?", "/srv/\xc3\xa4", false },		/* bytes, not characters */
		{ "/srv/??", "/srv/\xc3\xa4", true },
		{ "/srv/[\xa0-\xff]*", "/srv/\xc3\xa4", true },
		{ "/srv/\xc3\xa4/", "/srv/\xc3\xa4/x", true },
		{ "/srv/[a-c]", "/srv/b", true },
		{ "/srv/[a-c]", "/srv/d", false },
		{ "/srv/[!a-c]", "/srv/d", true },
		{ "/srv/[!a-c]", "/srv/b", false },
		{ "/srv[!a-c]x", "/srv/x", false },		/* no set matches a slash */
		{ "/srv/[]a]", "/srv/]", true },
		{ "/srv/[a-]", "/srv/-", true },
		{ "/srv/[\\]]", "/srv/]", true },
		{ "/srv/[{,}]", "/srv/,", true },
		{ "/a/**/b", "/a/b", true },
		{ "/a/**/b", "/a/x/b", true },
		{ "/a/**/b", "/a/x/y/b", true },
		{ "/a/**/b", "/a/xb", false },
		{ "/a/**/b", "/ab", false },
		{ "/a/**/b", "/a/b/c", false },
		{ "**/x", "/x", true },
		{ "**/x", "/a/b/x", true },
		{ "**/x", "/ax", false },
		{ "**/x", "/x/a", false },
		{ "**/.git/", "/.git", true },
		{ "**/.git/", "/srv/.git/config", true },
		{ "**/.git/", "/srv/.github/x", false },
		{ "**/.ht*", "/srv/www/.htaccess", true },
		{ "/a/**/**/b", "/a/b", true },
		{ "/a/**/*/b", "/a/b", false },
		{ "/a/**/*/b", "/a/c/b", true },
		{ "/a/*/**", "/a", false },
		{ "/a/*/**", "/a/b", true },
		{ "/a//b", "/a/b", true },
		{ "/srv/*.{key,pem}", "/srv/x.pem", true },
		{ "/srv/*.{key,pem}", "/srv/x.crt", false },
		{ "/srv/{a,b{c,d}}e", "/srv/bde", true },
		{ "/srv/{a,b{c,d}}e", "/srv/be", false },
		{ "/{usr/,}bin/sh", "/bin/sh", true },
		{ "/{usr/,}bin/sh", "/usr/bin/sh", true },
		{ "{/a,**/b}/c", "/x/b/c", true },
		{ "/var/lib/nginx/{body,proxy}/", "/var/lib/nginx/proxy/1", true },
		{ "/a/{**/,}x", "/a/q/r/x", true },
		{ "/a\\*b", "/a*b", true },
		{ "/a\\*b", "/aXb", false },
		{ "/a\\{b,c\\}", "/a{b,c}", true },
		{ "/a,b", "/a,b", true },
		{ "/a]", "/a]", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = NULL;
		if (pattern_check(rows[i].glob, &why) != 0)
			fail_msg("%s: refused: %s", rows[i].glob, why);
		if (pattern_matches(rows[i].glob, rows[i].path, strlen(rows[i].path)) != rows[i].matches)
			fail_msg("%s on %s: not %d", rows[i].glob, rows[i].path, rows[i].matches);
		if (model_matches(rows[i].glob, rows[i].path) != rows[i].matches)
			fail_msg("%s on %s: the model says not %d", rows[i].glob, rows[i].path, rows[i].matches);
	}
}

static void mistakes_are_found_where_they_are(void **state)
{
	static const struct { const char *glob; size_t at; const char *why; } rows[] = {
		{ "", 1, "empty" },
		{ "srv", 1, "begins with" },
		{ "**", 1, "begins with" },
		{ "*/x", 1, "begins with" },
		{ "{/a,b}/c", 1, "begins with" },
		{ "/a/[bc", 4, "no matching ']'" },
		{ "/a/[", 4, "no matching ']'" },
		{ "/a/[]", 4, "no matching ']'" },
		{ "/a/[z-a]", 7, "before it begins" },
		{ "/a/[^x]", 5, "[!...]" },
		{ "/a/[[:alpha:]]", 5, "classes" },
		{ "/a[x/]", 5, "never matches '/'" },
		{ "/a/[!\x01-\xff]", 4, "empty" },
		{ "/a/{b,c", 4, "no matching '}'" },
		{ "/a/b}", 5, "without '{'" },
		{ "/a/{b,{c,d}", 4, "no matching '}'" },
		{ "/a/b\\", 5, "follows the backslash" },
		{ "/a/b**", 5, "whole components" },
		{ "/a/**b/c", 4, "whole components" },
		{ "/a/***", 4, "whole components" },
		{ "/a/{x**,y}", 6, "whole components" },
		{ "/a/../b", 4, "never match" },
		{ "/a/./b", 4, "never match" },
		{ "/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 2, "1024" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = "";
		size_t at = pattern_check(rows[i].glob, &why);
		if (at != rows[i].at || !strstr(why, rows[i].why))
			fail_msg("%s: at %zu: %s", rows[i].glob, at, why);
	}
	assert_int_equal(pattern_check("/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", NULL), 0);
}

static void long_patterns_work(void **state)
{
	(void)state;
	char *glob = malloc(70000), path[4096];
	memset(glob, 'a', 70000);
	glob[0] = '/';
	glob[69999] = '\0';
	assert_int_not_equal(pattern_check(glob, NULL), 0);
	glob[4000] = '\0';
	memcpy(path, glob, 4001);
	assert_true(pattern_matches(glob, path, 4000));
	assert_false(pattern_matches(glob, path, 3999));
	memset(glob + 1, '?', 3999);
	assert_true(pattern_matches(glob, path, 4000));
	free(glob);
}

static void the_prefix_ends_at_a_component(void **state)
{
	static const struct { const char *glob; size_t len; bool whole; const char *prefix; } rows[] = {
		{ "/srv/www/", 8, true, "/srv/www" },
		{ "/srv/www", 8, true, "/srv/www" },
		{ "/srv/www/*.html", 8, false, "/srv/www" },
		{ "/srv/www*", 4, false, "/srv" },
		{ "/srv/{a,b}/c", 4, false, "/srv" },
		{ "/srv/[ab]", 4, false, "/srv" },
		{ "/srv/**", 4, false, "/srv" },
		{ "**/.git/", 0, false, "" },
		{ "/*", 0, false, "" },
		{ "/", 0, true, "" },
		{ "/a\\*b/c?", 5, false, "/a*b" },
		{ "/a\\*b", 5, true, "/a*b" },
		{ "/\xc3\xa4/", 3, true, "/\xc3\xa4" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool whole;
		char *prefix;
		size_t len = pattern_prefix(rows[i].glob, &whole, &prefix);
		if (len != rows[i].len || whole != rows[i].whole || strcmp(prefix, rows[i].prefix) != 0)
			fail_msg("%s: %zu %d %s", rows[i].glob, len, whole, prefix);
		free(prefix);
		assert_int_equal(pattern_prefix(rows[i].glob, NULL, NULL), rows[i].len);
	}
}

static void sets_of_patterns_are_compared_exactly(void **state)
{
	static const struct { const char *a[3], *b[3]; enum pattern_relation relation; } rows[] = {
		{ { "/srv/www/private/" }, { "/srv/www/" }, PATTERN_NARROWER },
		{ { "/srv/" }, { "/srv/www/" }, PATTERN_BROADER },
		{ { "/srv/" }, { "/srv/**" }, PATTERN_EQUAL },
		{ { "/srv/" }, { "/srv/", "/srv/x" }, PATTERN_EQUAL },
		{ { "/srv" }, { "/srv/" }, PATTERN_NARROWER },
		{ { "/srv" }, { "/srvx/" }, PATTERN_DISJOINT },
		{ { "**/.env" }, { "/srv/www/" }, PATTERN_OVERLAP },
		{ { "/srv/www/demo/.env" }, { "**/.env" }, PATTERN_NARROWER },
		{ { "/a/*" }, { "/a/?*" }, PATTERN_EQUAL },		/* names are not empty */
		{ { "/a/{b,c}" }, { "/a/b", "/a/c" }, PATTERN_EQUAL },
		{ { "/a/[bc]" }, { "/a/b", "/a/c" }, PATTERN_EQUAL },
		{ { "/a/[.x]" }, { "/a/x" }, PATTERN_EQUAL },		/* "." is no name */
		{ { "/a/[.x][.y]" }, { "/a/x.", "/a/xy", "/a/.y" }, PATTERN_EQUAL },
		{ { "/a/**/b" }, { "/a/b", "/a/*/**/b" }, PATTERN_EQUAL },
		{ { "**/x/" }, { "**/x", "**/x/**/*" }, PATTERN_EQUAL },
		{ { "/a/*b*" }, { "/a/*b", "/a/b*" }, PATTERN_BROADER },
		{ { "/a/*" }, { "/a/[!b]*", "/a/b*" }, PATTERN_EQUAL },
		{ { "/a/*", "/a" }, { "/a/" }, PATTERN_NARROWER },
		{ { "/a/?" }, { "/a/??" }, PATTERN_DISJOINT },
		{ { "/a/*x" }, { "/a/y*" }, PATTERN_OVERLAP },
		{ { "/a/*\xff" }, { "/a/*[\x80-\xff]" }, PATTERN_NARROWER },
		{ { "/" }, { "/*/", "/" }, PATTERN_EQUAL },
		{ { "/*/" }, { "/" }, PATTERN_NARROWER },
		{ { "/srv/**/*.html" }, { "/srv/" }, PATTERN_NARROWER },
	};
	static const enum pattern_relation swapped[] = {
		[PATTERN_DISJOINT] = PATTERN_DISJOINT, [PATTERN_EQUAL] = PATTERN_EQUAL,
		[PATTERN_NARROWER] = PATTERN_BROADER, [PATTERN_BROADER] = PATTERN_NARROWER,
		[PATTERN_OVERLAP] = PATTERN_OVERLAP,
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n_a = 0, n_b = 0;
		while (n_a < 3 && rows[i].a[n_a])
			n_a++;
		while (n_b < 3 && rows[i].b[n_b])
			n_b++;
		enum pattern_relation relation = pattern_compare(rows[i].a, n_a, rows[i].b, n_b);
		if (relation != rows[i].relation)
			fail_msg("%s and %s: %d", rows[i].a[0], rows[i].b[0], (int)relation);
		relation = pattern_compare(rows[i].b, n_b, rows[i].a, n_a);
		if (relation != swapped[rows[i].relation])
			fail_msg("%s and %s: %d", rows[i].b[0], rows[i].a[0], (int)relation);
	}
}

static void a_proof_without_end_is_an_overlap(void **state)
{
	/* Which of the last bytes were a or b: more states than the budget has. */
	char a[256], b[256];
	(void)state;
	strcpy(a, "/*a");
	strcpy(b, "/*[ab]");
	for (int i = 0; i < 30; i++) {
		strcat(a, "?");
		strcat(b, "?");
	}
	const char *as[] = { a }, *bs[] = { b };
	assert_int_equal(pattern_compare(as, 1, bs, 1), PATTERN_OVERLAP);
	a[8] = b[11] = '\0';
	assert_int_equal(pattern_compare(as, 1, bs, 1), PATTERN_NARROWER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_matches_as_it_says),
		cmocka_unit_test(mistakes_are_found_where_they_are),
		cmocka_unit_test(long_patterns_work),
		cmocka_unit_test(the_prefix_ends_at_a_component),
		cmocka_unit_test(sets_of_patterns_are_compared_exactly),
		cmocka_unit_test(a_proof_without_end_is_an_overlap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
