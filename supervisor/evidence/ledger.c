#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fd.h"

int ledger_open(struct ledger *ledger, const char *path, uint64_t *lost, int64_t *run)
{
	struct stat st;
	AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	*ledger = (struct ledger){ .fd = -1 };
	*lost = 0;
	*run = 0;
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, &st) || (st.st_size < (off_t)sizeof(*ledger->page) && ftruncate(fd, sizeof(*ledger->page))))
		return -errno;
	/* Allocated now: a full disk must not be noticed by SIGBUS. */
	int err = posix_fallocate(fd, 0, sizeof(*ledger->page));
	if (err)
		return -err;
	void *page = mmap(NULL, sizeof(*ledger->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*ledger = (struct ledger){ .path = strdup(path), .page = page };
	*lost = ledger->page->counted - ledger->page->written;
	*run = ledger->page->run;
	ledger->page->counted = ledger->page->written = 0;
	ledger->fd = fd_take(&fd);
	return 0;
}

void ledger_close(struct ledger *ledger, bool written)
{
	if (ledger->fd < 0 || !ledger->page)
		return;
	if (written && ledger->path)
		(void)unlink(ledger->path);
	(void)munmap(ledger->page, sizeof(*ledger->page));
	ledger->fd = fd_close(ledger->fd);
	free(ledger->path);
	*ledger = (struct ledger){ .fd = -1 };
}
