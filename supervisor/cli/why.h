/* What why explains: one access under one policy, and where it came from. */
#ifndef USHER_WHY_H
#define USHER_WHY_H

#include <jansson.h>

#include "cli.h"
#include "suggest.h"

/* Of a recorded event: what was seen then. */
struct why_event {
	char *program, *time, *since; /* "nginx 4711", "21:45:29", "21:40:02" */
	char *spelled, *base;	      /* as asked; NULL if that is the path */
	char *error;		      /* "ENOENT" */
	char *policy;		      /* "web@3f2a91c" */
	char *policy_file;	      /* absolute, from the record of the start; NULL if unknown */
	json_t *set;		      /* --set of that start: an object of strings, or NULL */
	char *action, *rule, *kind;   /* of the record: "deny", "web.policy:22", "openat" */
	char *op, *path, *proto;
	char *fstype, *from, *flags, *options;	/* of a mount */
	char *reason;		      /* in words, where no rule of the policy says it */
	uint64_t args[6];
	unsigned long times;
};

#define LINKS_MAX 40
#define MATCHES_MAX 64

struct match {
	const struct policy_rule *rule;
	bool wins;
	char *reason;
};

struct why {
	const struct cli *cli;
	const struct policy *policy;
	const struct policy_env *env;
	const struct why_event *event; /* NULL: no recorded one */
	struct asked asked;
	struct policy_peer peer;
	char name[POLICY_NAME_MAX + 1];	/* of .peer */
	struct policy_mount mount;	/* what it points to is below, and in .path */
	struct policy_mount_option *mount_options;
	char *mount_from, *mount_text;
	char *path;    /* resolved */
	char *spelled; /* if that was something else */
	char *links[LINKS_MAX];
	size_t n_links;

	struct policy_decision decision;
	const struct policy_rule *out_of; /* beneath: whose tree .out_link leads out of */
	const char *out_link;
	const char *builtin; /* what the filter does to a call, whatever the policy says */
	struct match matches[MATCHES_MAX];
	size_t n_matches;
	struct suggestion suggestions[SUGGESTIONS_MAX];
	size_t n_suggestions;
	const char *no_suggestion;
};

/* Whatever denies: a rule, a default, a link that leads out, or usher of itself. */
bool why_denied(const struct why *why);
void why_print(const struct why *why);
void why_print_json(const struct why *why, int status);

/* why_mount.c. TYPE [from PATH] on PATH [flags LIST] [options TEXT]: WORDS. 0 or a status after a message. */
int why_mount_words(struct why *why, int n, char **words);
int why_mount_event(struct why *why);
void why_mount_free(struct why *why);
extern const struct cli_verb cli_verb_why;
/* Follows links as the program's calls would. 0 or -errno. */
int why_resolve(struct why *why, const char *spelled, char **path);

/* The event whose id begins with PREFIX (NULL: the last denial) in FILE. 0, or a verb's status after a
 * message. */
int why_event_read(const struct cli *cli, const char *file, const char *prefix, struct why_event *event);
void why_event_free(struct why_event *event);

#endif
