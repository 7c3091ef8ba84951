/* What fetch and serve use: the target's memory, once, and the reply. */
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "call.h"
#include "err.h"
#include "fd.h"
#include "park.h"
#include "ruleset.h"
#include "sandbox.h"

void request_begin(struct request *req)
{
	size_t args = sizeof(req->args) < 512 ? sizeof(req->args) : 512;

	req->call = NULL;
	req->rules = NULL;
	req->target = NULL;
	req->n_names = 0;
	req->bases[0] = req->bases[1] = req->root = -1;
	memset(req->ops, 0, sizeof(req->ops));
	memset(&req->args, 0, args);
	req->fetched = false;
	req->peers = NULL;
	req->n_peers = req->decided_peer = 0;
	req->refused_by = NULL;
	req->decision = (struct policy_decision){ 0 };
	req->decided = 0;
	req->reply = (struct reply){ .fd = -1 };
	req->park = NULL;
	req->recorded = req->parked = req->real_ids = false;
}

static bool request_holds(const struct request *req, const void *data)
{
	const char *at = data;

	return (at >= (const char *)req && at < (const char *)(req + 1)) ||
	       (at >= (const char *)req->objects && at < (const char *)(req->objects + REQUEST_NAMES)) ||
	       (at >= (const char *)req->names && at < (const char *)(req->names + REQUEST_NAMES));
}

void reply_forget_outs(struct request *req)
{
	for (unsigned i = 0; i < REPLY_OUTS && req->reply.out[i].data; i++) {
		if (!request_holds(req, req->reply.out[i].data))
			free(req->reply.out[i].data);
		req->reply.out[i].data = NULL;
	}
}

void request_release(struct request *req)
{
	if (req->fetched && req->call->release)
		req->call->release(req);
	req->fetched = false;
	for (unsigned i = 0; i < req->n_names; i++) {
		object_clear(&req->objects[i]);
		req->bases[i] = fd_close(req->bases[i]);
	}
	req->n_names = 0;
	req->root = fd_close(req->root);
}

void request_end(struct request *req)
{
	request_release(req);
	if (req->park)
		park_free(req);
	reply_forget_outs(req);
	req->reply.fd = fd_close(req->reply.fd);
	if (req->target)
		target_put(req->sandbox->targets, req->target);
	req->target = NULL;
	if (req->rules)
		ruleset_put(req->rules);
	req->rules = NULL;
}

int fetch_name(struct request *req, int dirfd_arg, int arg, enum name_mode mode, bool empty_ok)
{
	struct name *name;
	ssize_t len;

	ASSERT(req->n_names < REQUEST_NAMES);
	name = &req->names[req->n_names];
	name_begin(name, dirfd_arg < 0 ? AT_FDCWD : request_int(req, dirfd_arg), mode, empty_ok);
	len = target_read_string(req->target, req->notif.data.args[arg], name->path, sizeof(name->path));
	if (len == 0 && !empty_ok)
		len = -ENOENT;
	/* Of two names the kernel looks the first up before it says what is wrong with the second. */
	if (len < 0 && (len == -ESRCH || !req->n_names))
		return (int)len;
	if (len < 0) {
		name->err = (int)len;
		name->path[0] = '\0';
		len = 0;
	}
	name->len = (size_t)len;
	req->n_names++;
	return 0;
}

int fetch_bytes(struct request *req, uint64_t addr, void *to, size_t len)
{
	return target_read(req->target, addr, to, len);
}

ssize_t fetch_string(struct request *req, uint64_t addr, char *to, size_t size)
{
	return target_read_string(req->target, addr, to, size);
}

int fetch_fd(struct request *req, int number)
{
	return target_fd(req->target, number);
}

void reply_out(struct request *req, uint64_t addr, void *data, size_t len)
{
	for (unsigned i = 0; i < REPLY_OUTS; i++) {
		if (req->reply.out[i].data)
			continue;
		req->reply.out[i].addr = addr;
		req->reply.out[i].data = data;
		req->reply.out[i].len = len;
		return;
	}
	ASSERT(data == NULL);
}
