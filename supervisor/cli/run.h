/* usher run: what its parts share. */
#ifndef USHER_RUN_H
#define USHER_RUN_H

#include "child_limits.h"
#include "cli.h"
#include "filter.h"
#include "launch.h"
#include "plan.h"
#include "run_fds.h"
#include "run_unshare.h"
#include "run_user.h"
#include "session.h"
#include "view.h"

struct run {
	const struct cli *cli;
	const char *audit_file, *record_file, *chdir, *name;
	bool mode_log, summary, no_landlock;
	enum layers layers;
	bool map_subids;	/* --map-subids */
	int namespaces;		/* --unshare: CLONE_NEW* */
	struct run_user user;
	struct run_fds fds;
	char **argv;

	struct policy *policy;
	struct kernel kernel;
	struct plan plan;
	struct limits limits;
	struct filter filter;
	int landlock;
	struct view view;
	char *cwd;		/* where we are, by name, if there is a view */
	bool root;		/* outside of --unshare user */
	struct agent_limit rlimits[4];
	char **envp;		/* owned; entries borrowed but for those in .own */
	char *own[4];
	struct agent_plan agent;

	struct launch launch;
	struct loop *loop;
	struct audit *audit;
	struct footprint *footprint;
	struct sandbox *sandbox;
	struct session session;
	struct control *control;
	struct kernel_log *kernel_log;
	bool landlock_seen;	/* it decides by itself, and what it denies is told */
};

/* run_prepare.c: from the policy to .agent, before the first fork. 0, or CLI_RUN_FAILED after a message. */
int run_prepare(struct run *run);

/* run_status.c: exit statuses, with a message where usher failed. */
int run_fail(const struct run *run, const char *what, int error);
int run_launch_failed(const struct run *run, int error);
/* Of the tree that has ended. */
int run_ended(const struct run *run);

#endif
