/*
 * Any notification, over any memory: what fetch copies must stay within what it says, own what it holds and
 * give all of it back.
 *
 * The target is this process. Its memory is a mapping at a fixed address, so that pointers in it can be
 * found, with a page behind it that nobody may read. Input: number (2 bytes), six arguments (a kind and
 * eight bytes each), memory.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "calls/image.h"
#include "calls/send.h"
#include "err.h"
#include "fd.h"
#include "kernel.h"
#include "sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY UINT64_C(0x20000000)
#define SIZE   UINT64_C(8192)
#define ARGS   54	/* bytes of the six arguments */

enum { KIND_RAW, KIND_POINTER, KIND_NEAR_END, KIND_FD, KINDS };

static struct sandbox sandbox;
static struct ruleset rules;
static struct request request;
static struct name names[REQUEST_NAMES];
static struct object objects[REQUEST_NAMES];
static int fds[6];

static void fuzz_begin(void)
{
	static struct kernel kernel = { .pidfd_thread = true, .execve_check = true };
	static struct plan plan = { .kernel = &kernel, .landlock = true };
	void *memory = mmap((void *)(uintptr_t)MEMORY, SIZE + 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ASSERT(memory == (void *)(uintptr_t)MEMORY);
	ASSERT(!mprotect((char *)memory + SIZE, 4096, PROT_NONE));
	rules.plan = plan;
	atomic_store(&rules.balance, 1);	/* never given back by the last */
	sandbox.launched = &plan;
	ASSERT(!targets_new(&sandbox.targets, &kernel, true));
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fds[2] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[3] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fds[4] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[5] = -1;
	request.sandbox = &sandbox;
	request.names = names;
	request.objects = objects;
	for (unsigned i = 0; i < REQUEST_NAMES; i++)
		object_init(&objects[i]);
}

static uint64_t fuzz_arg(const uint8_t *data)
{
	uint64_t value;

	memcpy(&value, data + 1, sizeof(value));
	switch (data[0] % KINDS) {
	case KIND_POINTER:
		return MEMORY + value % SIZE;
	case KIND_NEAR_END:
		return MEMORY + SIZE - value % 128;
	case KIND_FD:
		return (uint64_t)(int64_t)fds[value % ARRAY_SIZE(fds)];
	default:
		return value;
	}
}

static void check_sends(const struct request *req)
{
	const struct socket_call *call = socket_call(req);
	size_t total = 0;

	ASSERT(call && call->n_messages <= SEND_MESSAGES + 1);
	for (unsigned i = 0; i < call->n_messages; i++) {
		const struct message *message = &call->messages[i];

		ASSERT(message->to.len <= sizeof(message->to.any));
		ASSERT(message->control_len <= SEND_CONTROL && message->n_fds <= SEND_FDS);
		ASSERT(!message->to.path || req->n_names == 1);
		total += message->len;
		for (size_t j = 0; j < message->n_fds; j++)
			ASSERT(fcntl(message->fds[j], F_GETFD) >= 0);
	}
	ASSERT(total <= SEND_MAX);
}

static void check_fetched(const struct request *req)
{
	ASSERT(req->n_names <= REQUEST_NAMES);
	for (unsigned i = 0; i < req->n_names; i++) {
		ASSERT(req->names[i].len < sizeof(req->names[i].path));
		ASSERT(strlen(req->names[i].path) == req->names[i].len);
		ASSERT(req->names[i].len || req->names[i].empty_ok);
	}
	if (req->notif.data.nr == SYS_sendto || req->notif.data.nr == SYS_sendmsg || req->notif.data.nr == SYS_sendmmsg)
		check_sends(req);
	if (req->notif.data.nr == SYS_connect || req->notif.data.nr == SYS_bind)
		ASSERT(socket_call(req)->addr.len <= sizeof(struct sockaddr_storage));
}

static int lowest_fd(void)
{
	int fd = dup(fds[0]);

	(void)close(fd);
	return fd;
}

static void fuzz_image(const uint8_t *data, size_t size)
{
	struct image image;

	if (image_script((const char *)data, size, &image))
		return;
	ASSERT(image.kind == IMAGE_SCRIPT && image.interpreter[0] && strlen(image.interpreter) < IMAGE_HEAD);
	ASSERT(!strpbrk(image.interpreter, " \t\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t rest;
	int free_fd;

	if (!sandbox.targets)
		fuzz_begin();
	fuzz_image(data, size);
	if (size < 2 + ARGS)
		return 0;
	memset((void *)(uintptr_t)MEMORY, 0, SIZE);
	rest = size - 2 - ARGS < SIZE ? size - 2 - ARGS : SIZE;
	memcpy((void *)(uintptr_t)MEMORY, data + 2 + ARGS, rest);

	request_begin(&request);
	request.rules = &rules;
	ruleset_hold(&rules);
	request.notif = (struct seccomp_notif){ .pid = (uint32_t)gettid() };
	request.notif.data.nr = data[0] | data[1] << 8;
	for (unsigned i = 0; i < 6; i++)
		request.notif.data.args[i] = fuzz_arg(data + 2 + 9 * i);
	request.call = call_by_nr(request.notif.data.nr);
	if (!request.call || !request.call->fetch)
		return 0;
	ASSERT(!target_get(sandbox.targets, gettid(), &request.target));
	free_fd = lowest_fd();
	request.fetched = true;
	if (!request.call->fetch(&request))
		check_fetched(&request);
	request_end(&request);
	ASSERT(lowest_fd() == free_fd);
	return 0;
}
