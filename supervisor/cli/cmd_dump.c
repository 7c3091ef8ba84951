/* usher dump: the seccomp filter of a policy, as `run` would install it here. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "cli.h"
#include "compiled.h"
#include "json.h"

enum { OPT_RAW = CLI_LONG, OPT_EMULATE };

static const struct cli_option options[] = {
	CLI_OPTION_POLICY("the policy; may also stand first, alone"),
	{ "raw", OPT_RAW, NULL,
	  "the instructions as the kernel takes them (struct sock_filter), for a file" },
	{ "emulate", OPT_EMULATE, "CALL", "run the filter for one call; operands are its arguments" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

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
	bool is_errno = strcmp(action, "errno") == 0;
	int status = is_errno || strcmp(action, "kill") == 0 || strcmp(action, "trap") == 0 ? CLI_NO : CLI_OK;
	if (dump->cli->json) {
		json_print("dump",
			   json_pack("{s:s, s:s, s:s*, s:i, s:I}", "syscall", dump->call, "action", action, "errno",
				     is_errno ? error : NULL, "steps", (int)steps, "value", (json_int_t)answer),
			   status);
		return status;
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
	return status;
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
	json_print("dump", json_pack("{s:o}", "instructions", list), CLI_OK);
	return CLI_OK;
}

static int dump_policy(const struct dump *dump, const struct policy *policy)
{
	struct compiled compiled;
	struct policy_diags diags = { 0 };
	int error = compiled_make(&compiled, policy, LAYERS_ANY, &diags);
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

static int run(int argc, char **argv, struct cli *cli)
{
	static const struct cli_load load = { .json = "dump" };
	struct dump dump = { .cli = cli };
	struct policy *policy = NULL;
	int opt;
	while ((opt = cli_next(cli, &cli_verb_dump, argc, argv)) >= 0) {
		if (opt == OPT_RAW)
			dump.raw = true;
		else if (opt == OPT_EMULATE)
			dump.call = optarg;
	}
	if (opt != CLI_END)
		return cli_stop(&cli_verb_dump, opt);
	int status = cli_take_policy(cli, &cli_verb_dump, argc, argv);
	if (!status && dump.raw && (dump.call || cli->json))
		status = cli_usage(cli, &cli_verb_dump, "--raw goes with neither --emulate nor --json");
	if (!status && dump.call)
		status = compiled_call(cli, &cli_verb_dump, dump.call, argv + optind, argc - optind, &dump.nr, dump.args);
	else if (!status && optind < argc)
		status = cli_usage(cli, &cli_verb_dump, "'%s' is one operand too many", argv[optind]);
	if (!status)
		status = cli_load_policy(cli, cli->policy, &load, &policy);
	if (!status)
		status = dump_policy(&dump, policy);
	policy_free(policy);
	return status;
}
