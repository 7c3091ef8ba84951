#include "request_names.h"

#include <errno.h>
#include <fcntl.h>

#include "fd.h"
#include "mounts.h"
#include "sandbox.h"

int request_bases(struct request *req)
{
	req->root = fd_close(req->root);
	if (req->n_names && resolver_other_roots(req->sandbox->resolver)) {
		req->root = target_root(req->target);
		if (req->root < 0)
			return req->root;
		if (req->sandbox->mounts)
			mounts_learn(req->sandbox->mounts, req->target, req->root);
	}
	for (unsigned i = 0; i < req->n_names; i++) {
		struct name *name = &req->names[i];

		name->root = req->root;
		if (name->based)
			continue;
		req->bases[i] = fd_close(req->bases[i]);
		if (name->path[0] == '/' || name->err)
			continue;
		if (name->dirfd == AT_FDCWD)
			req->bases[i] = target_cwd(req->target);
		else
			req->bases[i] = (name->len ? target_dir : target_fd)(req->target, name->dirfd);
		if (req->bases[i] >= 0)
			continue;
		/* A second name's is said after what the first one's lookup says; what is but a descriptor is looked at before. */
		if (!i || name->empty_ok || req->bases[i] == -ESRCH)
			return req->bases[i];
		name->err = req->bases[i];
	}
	return 0;
}

/* Why the call ends with object I. What serve knows how to say, or to make, is no such reason: a last name that is missing or too long. */
static int object_error(const struct request *req, unsigned i)
{
	const struct object *object = &req->objects[i];
	enum name_mode mode = req->names[i].mode;

	if ((object->err == -ENOENT || object->err == -ENAMETOOLONG) && object->parent >= 0 && (mode == NAME_CREATE || mode == NAME_ENTRY))
		return 0;
	return object->err;
}

int request_resolve(struct request *req, enum resolve_level level, bool again)
{
	unsigned n = req->n_names;
	int err = 0, ended = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		struct object *object = &req->objects[i];

		if (again && !object->lexical)
			continue;
		if (again)
			req->bases[i] = fd_take(&object->from);
		object_clear(object);
		if (!ended)
			ended = req->names[i].err;
		if (ended) {
			object->err = ended;
			continue;
		}
		err = resolve(req->sandbox->resolver, req->target, &req->names[i], fd_take(&req->bases[i]), level, object);
		ended = object_error(req, i);
	}
	return err;
}

bool request_lexical(const struct request *req)
{
	for (unsigned i = 0; i < req->n_names; i++)
		if (req->objects[i].lexical)
			return true;
	return false;
}

int request_resolve_error(const struct request *req)
{
	int err = 0;

	for (unsigned i = 0; i < req->n_names && !err; i++)
		err = object_error(req, i);
	return err;
}
