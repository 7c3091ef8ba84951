/* Path patterns as automata. */
#ifndef USHER_PATTERN_H
#define USHER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is GLOB well formed? 0, or the byte offset of the first mistake + 1 with its reason in *WHY. Also
 * refuses patterns whose {a,b} expand to more than 1,024 alternatives. */
size_t pattern_check(const char *glob, const char **why);

/* The length of the literal prefix of GLOB that ends at a component boundary: "/srv/www" of
 * "/srv/www/" and of "/srv/www/ *.html", "" of "** / .git/". *WHOLE: all of GLOB is that literal, but for a slash
 * at the end. PREFIX (malloc'ed, unescaped) may be NULL. */
size_t pattern_prefix(const char *glob, bool *whole, char **prefix);

/* Slow and obvious: does GLOB match PATH? The model that the automaton is tested against lives in
 * tests/; this one compiles a one-pattern automaton. For lints and tests. */
bool pattern_matches(const char *glob, const char *path, size_t len);

enum pattern_relation { PATTERN_DISJOINT, PATTERN_EQUAL, PATTERN_NARROWER, PATTERN_BROADER, PATTERN_OVERLAP };
/* How the set of GLOBS A relates to the set B, exactly; PATTERN_OVERLAP when a budget ends the proof. */
enum pattern_relation pattern_compare(const char *const *a, size_t n_a, const char *const *b, size_t n_b);

#endif
