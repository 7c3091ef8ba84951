/*
 * differ SEED STEPS DIR [ONLY [OPTIONS]]: a tree in DIR, and STEPS random file calls on it, all of it made from SEED. Each step
 * prints a line: what was called, the answer, and what of it can be seen and does not depend on the time, on inode numbers or on
 * who else uses the machine. So that two runs, one of them under usher, must print the same.
 *
 * Each step draws its numbers from SEED and its own number, and names descriptors by slots: steps can be left out, by the list
 * ONLY ("3,7-9"; "all"), and the others stay what they are. OPTIONS: "c", nothing is denied, so that chroot may be called.
 *
 * Every fourth seed has several threads at once, each in a tree of its own; in the others they take turns: one shares all with the
 * main thread, one has its own cwd and umask, one its own descriptors and credentials too.
 *
 * differ list DIR prints what is left of the tree, differ clear DIR removes it.
 */
#include "differ.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

struct options options;
const char *self_path;

static struct worker {
	struct actor actor;
	pthread_t thread;
	sem_t go, done;
	char *text;
	size_t len;
	bool end;
} workers[WORKERS];

/* splitmix64 */
uint32_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(z >> 32 ^ z);
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return rng_next(rng) % n;
}

bool rng_one(struct rng *rng, uint32_t n)
{
	return rng_below(rng, n) == 0;
}

struct rng rng_seed(uint64_t seed, uint64_t more)
{
	struct rng rng = { .state = seed * UINT64_C(0x2545f4914f6cdd1d) ^ more << 20 };
	(void)rng_next(&rng);
	rng.state ^= more;
	return rng;
}

_Noreturn void die(const char *what)
{
	int err = errno;
	printf("differ cannot: %s: %s\n", what, strerrorname_np(err));
	fflush(stdout);
	_exit(99);
}

static bool step_wanted(unsigned step)
{
	const char *at = options.only;
	if (!at || strcmp(at, "all") == 0)
		return true;
	while (*at) {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (step >= first && step <= last)
			return true;
		at = *end ? end + 1 : end;
	}
	return false;
}

static _Thread_local volatile sig_atomic_t too_large;

static void count_too_large(int signal)
{
	(void)signal;
	too_large++;
}

static void step(struct actor *actor, unsigned number)
{
	actor->step = number;
	actor->rng = rng_seed(options.seed, (uint64_t)(actor->alone ? actor->number + 1 : 0) << 24 | (number + 1));
	if (!step_wanted(number))
		return;
	fprintf(actor->out, "%u [%u] ", number, actor->number);
	too_large = 0;
	actor_step(actor);
	fprintf(actor->out, too_large ? " SIGXFSZ %d\n" : "\n", (int)too_large);
}

static void actor_init(struct worker *worker, unsigned number, const char *root)
{
	struct actor *actor = &worker->actor;
	actor->number = number;
	actor->root = root;
	actor->out = stdout;
	actor->root_user = geteuid() == 0;
	actor_memory(actor);
	if (sem_init(&worker->go, 0, 0) < 0 || sem_init(&worker->done, 0, 0) < 0)
		die("sem_init");
}

static void block_alarm(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *take_turns(void *data)
{
	struct worker *worker = data;
	unsigned number = worker->actor.number;
	int unshares = number == 2 ? CLONE_FS : number == 3 ? CLONE_FS | CLONE_FILES : 0;
	block_alarm();
	sem_wait(&worker->go);
	if (unshares && unshare(unshares) < 0)
		die("unshare");
	actor_slots(&worker->actor);
	sem_post(&worker->done);
	for (sem_wait(&worker->go); !worker->end; sem_wait(&worker->go)) {
		step(&worker->actor, worker->actor.step);
		sem_post(&worker->done);
	}
	return NULL;
}

static void turn(struct worker *worker)
{
	sem_post(&worker->go);
	while (sem_wait(&worker->done) < 0)
		;
}

static void run_turns(const char *root)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		actor_init(&workers[i], i, root);
		if (i == 0) {
			actor_slots(&workers[i].actor);
			continue;
		}
		if (pthread_create(&workers[i].thread, NULL, take_turns, &workers[i]))
			die("pthread_create");
		turn(&workers[i]);
	}
	for (unsigned i = 0; i < options.steps; i++) {
		struct rng rng = rng_seed(options.seed ^ 0x5a5a, i);
		struct worker *worker = &workers[rng_one(&rng, 2) ? 0 : rng_below(&rng, WORKERS)];
		if (worker == workers) {
			step(&worker->actor, i);
		} else {
			worker->actor.step = i;
			turn(worker);
		}
	}
	for (unsigned i = 1; i < WORKERS; i++) {
		workers[i].end = true;
		sem_post(&workers[i].go);
		pthread_join(workers[i].thread, NULL);
	}
}

/* Of PATH, below FROM. */
static void make_directories(char *path, const char *from)
{
	for (char *slash = path + strlen(from); slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0755) < 0)
			die(path);
		if (slash)
			*slash = '/';
	}
}

static void *run_alone(void *data)
{
	struct worker *worker = data;
	struct actor *actor = &worker->actor;
	block_alarm();
	if (unshare(CLONE_FS | CLONE_FILES) < 0 || chdir(actor->root) < 0)
		die("unshare");
	sem_post(&worker->done);
	sem_wait(&worker->go);
	for (unsigned i = 0; i < options.steps; i++)
		step(actor, i);
	fclose(actor->out);
	return NULL;
}

static void run_at_once(const char *root)
{
	static char roots[WORKERS][PATH_MAX];
	for (unsigned i = 0; i < WORKERS; i++) {
		struct actor *actor = &workers[i].actor;
		snprintf(roots[i], sizeof(roots[i]), "%s/%u/" NEST, root, i);
		make_directories(roots[i], root);
		tree_build(roots[i], true);
		actor_init(&workers[i], i, roots[i]);
		actor->alone = true;
		actor_slots(actor);
		actor->out = open_memstream(&workers[i].text, &workers[i].len);
		if (!actor->out)
			die("memory");
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		if (pthread_create(&workers[i].thread, NULL, run_alone, &workers[i]))
			die("pthread_create");
		sem_wait(&workers[i].done);	/* it has its own descriptors */
	}
	for (unsigned i = 0; i < WORKERS; i++)
		sem_post(&workers[i].go);
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		fwrite(workers[i].text, 1, workers[i].len, stdout);
	}
}

static char said[1 << 24];	/* all that is printed: written in the end, when nothing limits it */

static void too_late(int signal)
{
	(void)signal;
	(void)!write(1, said, strlen(said));
	_exit(97);
}

/* Whoever hangs says how far it came, or at least ends. */
static void watch(void)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = too_late }, NULL);
	for (size_t i = 0; i < COUNT(signals); i++) {
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signals[i] };
		timer_t timer;
		if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
		    timer_settime(timer, 0, &(struct itimerspec){ .it_value.tv_sec = 60 + 10 * (long)i }, NULL) < 0)
			die("timer");
	}
}

static void nothing(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	static char root[PATH_MAX], self[PATH_MAX];
	struct statvfs fs;
	struct rlimit limit;
	self_path = realpath("/proc/self/exe", self);
	if (argc >= 2 && strcmp(argv[1], "helper") == 0)
		return helper_main(argc, argv);
	if (argc == 3 && strcmp(argv[1], "list") == 0) {
		tree_list(argv[2]);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "clear") == 0) {
		tree_clear(open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		return 0;
	}
	if (argc < 4)
		return 2;
	/* What leaves DIR all the same must not harm the machine. */
	if (geteuid() == 0 && (statvfs("/", &fs) < 0 || !(fs.f_flag & ST_RDONLY))) {
		fprintf(stderr, "differ: as root only where / is read-only, as live_differ makes it\n");
		return 2;
	}
	options = (struct options){ .seed = strtoull(argv[1], NULL, 0), .steps = (unsigned)atoi(argv[2]), .dir = argv[3],
				    .only = argc > 4 ? argv[4] : NULL, .all_allowed = argc > 5 && strchr(argv[5], 'c') };
	unsure = mmap(NULL, sizeof(*unsure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (unsure == MAP_FAILED)
		die("mmap");
	setvbuf(stdout, said, _IOFBF, sizeof(said));
	watch();
	umask(022);
	alarm(0);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = nothing }, NULL);	/* interrupts */
	sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = count_too_large }, NULL);
	block_alarm();
	snprintf(root, sizeof(root), "%s/%s", options.dir, NEST);
	make_directories(root, options.dir);
	if (chdir(root) < 0)
		die(root);
	if (options.seed % 4 == 3) {
		run_at_once(root);
	} else {
		tree_build(root, false);
		run_turns(root);
	}
	if (!unsure->links && options.seed % 4 != 3)
		tree_links(root);
	printf("end\n");
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	return fflush(stdout) ? 1 : 0;
}
