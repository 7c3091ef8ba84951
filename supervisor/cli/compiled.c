#include "compiled.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "err.h"
#include "probe.h"
#include "syscalls.h"

static bool value_of(const char *word, uint64_t *value)
{
	char *end;
	if (syscall_constant(word, strlen(word), value))
		return true;
	errno = 0;
	*value = word[0] == '-' ? (uint64_t)strtoll(word, &end, 0) : strtoull(word, &end, 0);
	return *word && !*end && !errno;
}

int compiled_call(const struct cli *cli, const struct cli_verb *verb, const char *name, char *const *words, int n, int *nr,
		  uint64_t args[6])
{
	const struct syscall_info *info = syscall_by_name(name, strlen(name));
	const char *near = syscall_nearest(name, strlen(name));
	uint64_t number;
	if (!info && (!value_of(name, &number) || number > INT32_MAX))
		return cli_usage(cli, verb, "there is no system call '%s'%s%s%s", name, near ? "; did you mean '" : "",
				 near ? near : "", near ? "'?" : "");
	*nr = info ? info->nr : (int)number;
	if (n > 6)
		return cli_usage(cli, verb, "a system call has six arguments at most");
	for (int i = 0; i < n; i++) {
		if (!value_of(words[i], &args[i]))
			return cli_usage(cli, verb, "'%s' is not a number or a constant", words[i]);
	}
	return 0;
}

int compiled_layers(enum layers *layers, const char *list, const struct cli *cli, const struct cli_verb *verb)
{
	static const char *const names[] = { "bpf", "landlock", "broker" };
	unsigned seen = 0;
	for (const char *at = list; ; at++) {
		size_t len = strcspn(at, ","), i = 0;
		while (i < ARRAY_SIZE(names) && (strlen(names[i]) != len || strncmp(names[i], at, len) != 0))
			i++;
		if (i == ARRAY_SIZE(names))
			return cli_usage(cli, verb, "--layers takes bpf, landlock and broker, with commas, not '%s'", list);
		seen |= 1U << i;
		at += len;
		if (!*at)
			break;
	}
	*layers = !(seen & 4) ? LAYERS_KERNEL : seen == 4 ? LAYERS_BROKER : LAYERS_ANY;
	return 0;
}

int compiled_make(struct compiled *compiled, const struct policy *policy, enum layers layers, struct policy_diags *diags)
{
	*compiled = (struct compiled){ 0 };
	if (probe_kernel(&compiled->kernel, &compiled->lacks) == 0)
		compiled->lacks = NULL;
	compiled->plan_error = plan_make(&compiled->plan, policy, &compiled->kernel, false, layers, diags);
	plan_ports(&compiled->plan);
	int error = call_filter_rows(&compiled->plan, &compiled->rows, &compiled->n_rows);
	if (!error)
		error = filter_compile(policy, compiled->rows, compiled->n_rows, &compiled->filter, diags);
	return error;
}

static const char *refusal(const struct compiled *compiled, int nr, const uint64_t args[6])
{
	struct seccomp_data data = { .nr = nr, .arch = COMPILED_ARCH };
	for (size_t i = 0; i < 6; i++)
		data.args[i] = args[i];
	uint32_t answer = filter_run(&compiled->filter, &data, NULL);
	const struct call *call = call_by_nr(nr);
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return policy_errno_name((int)(answer & SECCOMP_RET_DATA));
	case SECCOMP_RET_USER_NOTIF:
		return call && call->when == CALL_REFUSED ? policy_errno_name(call->refuse) : NULL;
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_TRAP:
		return "SIGSYS";
	default:
		return NULL;
	}
}

const char *compiled_refusal(const struct policy *policy, int nr, const uint64_t args[6])
{
	struct policy_decision decision = policy_decide_call(policy, nr, args);
	struct policy_diags diags = { 0 };
	struct compiled compiled = { 0 };
	const char *name = NULL;
	if (!policy_denies(&decision.enforced) && compiled_make(&compiled, policy, LAYERS_ANY, &diags) == 0)
		name = refusal(&compiled, nr, args);
	compiled_free(&compiled);
	policy_diags_free(&diags);
	return name;
}

void compiled_free(struct compiled *compiled)
{
	filter_free(&compiled->filter);
	free(compiled->rows);
	*compiled = (struct compiled){ 0 };
}
