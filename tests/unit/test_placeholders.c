/* Descriptors that stand for mounts which are not made yet. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "placeholders.h"

static struct placeholders *all;

static int setup(void **state)
{
	(void)state;
	return placeholders_new(&all);
}

static int teardown(void **state)
{
	(void)state;
	placeholders_free(all);
	return 0;
}

static int add(const char *fstype)
{
	const struct placeholder new = { .kind = PLACEHOLDER_CONTEXT, .pin = -1, .fstype = strdup(fstype) };
	int fd = placeholder_add(all, &new);
	assert_true(fd >= 0);
	return fd;
}

static void each_is_found_by_its_descriptor(void **state)
{
	struct placeholder *held;
	int a = add("a"), b = add("b"), copy = dup(a), pair[2], null = open("/dev/null", O_RDONLY);
	(void)state;
	assert_int_equal(placeholder_hold(all, b, &held), 0);
	assert_string_equal(held->fstype, "b");
	placeholder_drop(all, &held);
	close(a);
	assert_int_equal(placeholder_hold(all, copy, &held), 0);
	assert_string_equal(held->fstype, "a");
	placeholder_drop(all, &held);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(placeholder_hold(all, pair[0], &held), -EINVAL);
	assert_int_equal(placeholder_hold(all, null, &held), -EINVAL);
	assert_int_equal(placeholder_hold(all, -1, &held), -EINVAL);
	close(pair[0]);
	close(pair[1]);
	close(null);
	close(copy);
	close(b);
}

/* That of another sandbox is none of ours. */
static void others_are_none(void **state)
{
	struct placeholder *held;
	struct placeholders *ours = all;
	int fd = add("a");
	(void)state;
	assert_int_equal(placeholders_new(&all), 0);
	assert_int_equal(placeholder_hold(all, fd, &held), -EINVAL);
	placeholders_free(all);
	all = ours;
	close(fd);
}

static void one_has_it_at_a_time(void **state)
{
	struct placeholder *held, *other, *first;
	int a = add("a"), b = add("b");
	(void)state;
	assert_int_equal(placeholder_hold(all, a, &held), 0);
	assert_int_equal(placeholder_hold(all, a, &other), -EBUSY);
	assert_int_equal(placeholder_hold(all, a, &other), -EBUSY);
	assert_int_equal(placeholder_hold(all, b, &other), 0);
	placeholder_drop(all, &other);
	placeholder_drop(all, &held);
	assert_int_equal(placeholder_hold(all, a, &held), 0);
	/* Nor is it forgotten meanwhile. */
	close(a);
	placeholders_sweep(all);
	first = held;
	assert_string_equal(first->fstype, "a");
	placeholder_drop(all, &held);
	assert_null(held);
	placeholders_sweep(all);
	assert_null(first->fstype);
	close(b);
}

static void there_are_so_many_and_they_are_given_back(void **state)
{
	const struct placeholder none = { .kind = PLACEHOLDER_PLACE, .pin = -1 };
	int fds[PLACEHOLDERS_MAX];
	(void)state;
	for (int round = 0; round < 3; round++) {
		struct placeholder more = none;
		for (int i = 0; i < PLACEHOLDERS_MAX; i++)
			fds[i] = add("a");
		more.pin = dup(0);
		assert_int_equal(placeholder_add(all, &more), -EMFILE);
		assert_int_equal(fcntl(more.pin, F_GETFD), -1);	/* closed all the same */
		for (int i = 0; i < PLACEHOLDERS_MAX; i++)
			close(fds[i]);
	}
	/* Nothing can be sent through it, itself neither, and to read there is nothing. */
	int fd = add("a");
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	char byte;
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found_by_its_descriptor), cmocka_unit_test(others_are_none), cmocka_unit_test(one_has_it_at_a_time),
		cmocka_unit_test(there_are_so_many_and_they_are_given_back),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
