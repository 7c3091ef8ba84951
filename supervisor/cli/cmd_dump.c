/* usher dump: the seccomp filter of a policy, as `run` would install it here. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "cli.h"
#include "compiled.h"
#include "syscalls.h"

enum { OPT_RAW = CLI_LONG, OPT_EMULATE, OPT_SET };

static const struct cli_option options[] = {
	{ "policy", 'p', "POLICY", "the policy; may also stand first, alone" },
	{ "raw", OPT_RAW, NULL,
	  "the instructions as the kernel takes them (struct sock_filter), for a file" },
	{ "emulate", OPT_EMULATE, "CALL", "run the filter for one call; operands are its arguments" },
	{ "set", OPT_SET, "NAME=VALUE", "set a variable of the policy; may be repeated" },
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, const struct cli *cli);

const struct cli_verb cli_verb_dump = {
	.name = "dump",
	.usage = "[OPTIONS] [-p] POLICY [--emulate CALL [ARG]...]",
	.summary = "show the seccomp filter that a policy compiles to",
	.details =
		"Prints a listing, one instruction a line. --emulate runs the filter in an interpreter and says what the\n"
		"kernel would do with the call: numbers and constants (O_RDONLY, AF_INET) are understood as arguments,\n"
		"what is not given is 0. `notify` means that the supervisor decides; usher why tells how.\n"
		"\n"
		"Exit status: 0; 1 the emulated call is refused by the filter; 2 usage; 3 the policy is invalid; 4 this\n"
		"version cannot compile it; 5 a file cannot be read.",
	.examples = { "usher dump web", "usher dump web --emulate socket AF_PACKET SOCK_RAW",
		      "usher dump web --raw >web.bpf" },
	.options = options,
	.run = run,
};

struct dump {
	const struct cli *cli;
	bool raw;
	const char *call;
	uint64_t args[6];
	int nr;
};

static int parse_call(struct dump *dump, char **words, int n)
{
	const struct syscall_info *info = syscall_by_name(dump->call, strlen(dump->call));
	char *end;
	dump->nr = info ? info->nr : (int)strtol(dump->call, &end, 0);
	if (!info && (*end || end == dump->call)) {
		const char *nearest = syscall_nearest(dump->call, strlen(dump->call));
		return cli_usage(dump->cli, &cli_verb_dump, "there is no system call '%s'%s%s%s", dump->call,
				 nearest ? "; did you mean '" : "", nearest ? nearest : "",
				 nearest ? "'?" : "");
	}
	if (n > 6)
		return cli_usage(dump->cli, &cli_verb_dump, "a system call has six arguments at most");
	for (int i = 0; i < n; i++) {
		if (syscall_constant(words[i], strlen(words[i]), &dump->args[i]))
			continue;
		errno = 0;
		dump->args[i] = words[i][0] == '-' ? (uint64_t)strtoll(words[i], &end, 0)
						   : strtoull(words[i], &end, 0);
		if (errno || *end || !*words[i])
			return cli_usage(dump->cli, &cli_verb_dump, "'%s' is not a number or a constant",
					 words[i]);
	}
	return 0;
}

static const char *action_name(uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return "allow";
	case SECCOMP_RET_LOG:
		return "log";
	case SECCOMP_RET_USER_NOTIF:
		return "notify";
	case SECCOMP_RET_ERRNO:
		return "errno";
	case SECCOMP_RET_TRAP:
		return "trap";
	default:
		return "kill";
	}
}

static int emulate(const struct dump *dump, const struct compiled *compiled)
{
	struct seccomp_data data = { .nr = dump->nr, .arch = COMPILED_ARCH };
	unsigned steps;
	memcpy(data.args, dump->args, sizeof(data.args));
	uint32_t answer = filter_run(&compiled->filter, &data, &steps);
	const char *action = action_name(answer),
		   *error = policy_errno_name((int)(answer & SECCOMP_RET_DATA));
	const struct call *call = call_by_nr(dump->nr);
	bool refused =
		strcmp(action, "errno") == 0 || strcmp(action, "kill") == 0 || strcmp(action, "trap") == 0;
	bool is_errno = strcmp(action, "errno") == 0;
	if (dump->cli->json) {
		json_t *root =
			json_pack("{s:i, s:s, s:s, s:s, s:s*, s:i, s:I}", "schema", 1, "verb", "dump",
				  "syscall", dump->call, "action", action, "errno", is_errno ? error : NULL,
				  "steps", (int)steps, "value", (json_int_t)answer);
		json_dumpf(root, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(root);
		return refused ? CLI_NO : CLI_OK;
	}
	printf("%s(", dump->call);
	for (size_t i = 0; i < 6; i++)
		printf("%s0x%llx", i ? ", " : "", (unsigned long long)data.args[i]);
	printf(")  %s", action);
	if (is_errno)
		printf(" %s", error ? error : "0");
	if (strcmp(action, "notify") == 0)
		printf("%s", !call			  ? ": the supervisor applies the policy"
			     : call->when == CALL_REFUSED ? ": the supervisor refuses and records it"
							  : ": the supervisor decides");
	printf("   (%u instructions)\n", steps);
	return refused ? CLI_NO : CLI_OK;
}

static int print_filter(const struct dump *dump, const struct compiled *compiled)
{
	const struct filter *filter = &compiled->filter;
	if (dump->raw) {
		if (isatty(STDOUT_FILENO))
			return cli_usage(dump->cli, &cli_verb_dump, "--raw is binary; send it to a file");
		fwrite(filter->insns, sizeof(*filter->insns), filter->len, stdout);
		return CLI_OK;
	}
	if (!dump->cli->json) {
		filter_print(filter, stdout);
		return CLI_OK;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < filter->len; i++)
		json_array_append_new(list,
				      json_pack("[i, i, i, I]", filter->insns[i].code, filter->insns[i].jt,
						filter->insns[i].jf, (json_int_t)filter->insns[i].k));
	json_t *root = json_pack("{s:i, s:s, s:o}", "schema", 1, "verb", "dump", "instructions", list);
	json_dumpf(root, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(root);
	return CLI_OK;
}

static int dump_policy(const struct dump *dump, const struct policy *policy)
{
	struct compiled compiled;
	struct policy_diags diags = { 0 };
	int error = compiled_make(&compiled, policy, &diags);
	if (diags.n && (error || !dump->cli->quiet))
		policy_diags_print(&diags, policy, stderr, dump->cli->color_err);
	int status;
	if (error) {
		cli_error(dump->cli, "the filter cannot be made: %s", strerror(-error));
		status = CLI_KERNEL;
	} else if (dump->call) {
		status = emulate(dump, &compiled);
	} else {
		status = print_filter(dump, &compiled);
	}
	compiled_free(&compiled);
	policy_diags_free(&diags);
	return status;
}

static int run(int argc, char **argv, const struct cli *cli)
{
	struct cli my = *cli;
	struct cli_vars vars = { 0 };
	struct dump dump = { .cli = &my };
	struct policy *policy = NULL;
	const char *name = NULL;
	int opt, status = 0;
	while (!status && (opt = cli_next(&my, &cli_verb_dump, argc, argv)) >= 0) {
		if (opt == 'p')
			name = optarg;
		else if (opt == OPT_RAW)
			dump.raw = true;
		else if (opt == OPT_EMULATE)
			dump.call = optarg;
		else if (opt == OPT_SET)
			status = cli_vars_add(&my, &cli_verb_dump, &vars, optarg);
	}
	if (!status && opt != CLI_END)
		return cli_stop(&cli_verb_dump, opt);
	if (!status && !name && optind < argc)
		name = argv[optind++];
	if (!status && !name)
		status = cli_usage(&my, &cli_verb_dump, "which policy?");
	if (!status && dump.call)
		status = parse_call(&dump, argv + optind, argc - optind);
	else if (!status && optind < argc)
		status = cli_usage(&my, &cli_verb_dump, "'%s' is one operand too many", argv[optind]);
	const struct cli_load load = { .vars = &vars, .json = "dump" };
	if (!status)
		status = cli_load_policy(&my, name, &load, &policy);
	if (!status)
		status = dump_policy(&dump, policy);
	policy_free(policy);
	cli_vars_free(&vars);
	return status;
}
