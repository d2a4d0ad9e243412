/* agent/agent.c - loaded, and started with the first daemon.
 *
 * SPDX-License-Identifier: MIT
 *
 * When it is loaded the agent takes itself out of the environment and nothing
 * more: a process without libmicrohttpd has one library more, and no thread,
 * file or word of ours. Recording starts when the program starts its first
 * daemon, so a program that first forks into the background is recorded where
 * it serves. Once it is recorded, a child that it forks is not: two would
 * write what belongs to one.
 *
 * Nothing here ends recording. At exit() workers may still be serving, so the
 * tape stays mapped. Its file is for the command that started us, which makes
 * an artifact of it; where there is none, it is removed.
 */
#include "agent/agent.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "agent/real.h"
#include "core/recorder.h"

enum { IDLE, ATTACHED, REFUSED };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int state;
static struct tailbox__board *board; /* NULL: nobody wants to be told */

/* What the environment said when we were loaded: a service may clear it. */
static struct {
	char *name, *run_dir, *artifact_dir, *config;
} given;
static char reason[256]; /* why it is not recorded */
static bool is_told;     /* somebody knows of the tape */

/* --- when it is loaded ---------------------------------------------------- */

/* By its path in /proc of the command that started the program. Whatever else
 * the path leads to is left alone. */
static void map_board(void)
{
	const char *path = secure_getenv(TAILBOX__AGENT_BOARD);
	struct tailbox__board *b;
	struct stat st;
	int fd;

	if (path == NULL || stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size != (off_t)sizeof(*b))
		return;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (b == MAP_FAILED)
		return;
	if (b->magic != TAILBOX__BOARD_MAGIC) {
		munmap(b, sizeof(*b));
		return;
	}
	board = b;
	atomic_fetch_add(&b->loaded, 1);
}

/* The name under which the loader loaded us is the entry that it was given. */
static const char *own_entry(void)
{
	const char *said = secure_getenv(TAILBOX__AGENT_PRELOAD);
	Dl_info info;

	if (said != NULL)
		return said;
	return dladdr(&given, &info) != 0 ? info.dli_fname : NULL;
}

/* By its last part as well: "libtailbox-agent.so" is looked up in folders. */
static void leave_preload_list(void)
{
	char *list = getenv("LD_PRELOAD");
	const char *entry = own_entry(), *slash;
	bool is_empty = false;

	if (list == NULL || entry == NULL)
		return;
	slash = strrchr(entry, '/');
	if (tailbox__take_out(list, entry, &is_empty) == 0 && slash != NULL)
		tailbox__take_out(list, slash + 1, &is_empty);
	if (is_empty)
		unsetenv("LD_PRELOAD");
}

static char *copy(const char *variable)
{
	const char *value = secure_getenv(variable);

	return value != NULL && *value != '\0' ? strdup(value) : NULL;
}

static void load_once(void)
{
	tailbox__tell_init();
	given.name = copy(TAILBOX__AGENT_NAME);
	given.run_dir = copy("TAILBOX_DIR");
	given.artifact_dir = copy("TAILBOX_ARTIFACTS");
	given.config = copy("TAILBOX_CONFIG");
	map_board();
	if (secure_getenv(TAILBOX__AGENT_CHILDREN) != NULL)
		return;
	leave_preload_list();
	unsetenv(TAILBOX__AGENT_BOARD);
	unsetenv(TAILBOX__AGENT_PRELOAD);
	unsetenv(TAILBOX__AGENT_NAME);
}

/* Also called by the first daemon: a library of the program may start one in
 * a constructor that runs before this one. */
__attribute__((constructor)) static void loaded(void)
{
	static pthread_once_t done = PTHREAD_ONCE_INIT;

	pthread_once(&done, load_once);
}

/* --- what is told --------------------------------------------------------- */

static struct tailbox__board_entry *entry(void)
{
	uint32_t n;

	if (board == NULL)
		return NULL;
	/* Counts on, so that what did not fit is known. */
	n = atomic_fetch_add(&board->taken, 1);
	return n < TAILBOX__BOARD_ENTRIES ? &board->entries[n] : NULL;
}

static void publish(struct tailbox__board_entry *e, bool is_said,
                    enum tailbox__board_state what)
{
	if (e == NULL)
		return;
	e->pid = (uint32_t)getpid();
	e->is_said = is_said;
	/* Release: who sees the state sees the rest. */
	atomic_store_explicit(&e->state, what, memory_order_release);
}

static void tell_recording(void)
{
	struct tailbox__board_entry *e = entry();
	const bool is_said = tailbox__tell(
	        "recording '%s' pid %ld: tailbox why %ld",
	        tailbox__recorder.tape.header->service, (long)getpid(),
	        (long)getpid());

	is_told = e != NULL;
	if (e != NULL)
		snprintf(e->tape, sizeof(e->tape), "%s",
		         tailbox__recorder.tape.path);
	publish(e, is_said, TAILBOX__BOARD_RECORDING);
}

static void tell_refused(void)
{
	struct tailbox__board_entry *e = entry();
	const bool is_said = tailbox__tell("not recording '%s' pid %ld: %s",
	                                   program_invocation_short_name,
	                                   (long)getpid(), reason);

	if (e != NULL)
		snprintf(e->why, sizeof(e->why), "%s", reason);
	publish(e, is_said, TAILBOX__BOARD_REFUSED);
}

/* --- with the first daemon ------------------------------------------------ */

static void in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	if (atomic_load(&state) == ATTACHED)
		atomic_store(&state, REFUSED);
}

static void set_up_once(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

/* Of what tailbox_start() says, the reason if it fails. What is said later, by
 * threads of ours, is told by status. */
static void keep_reason(void *cls, const char *line)
{
	static const char not[] = "is not recorded: ", head[] = "tailbox: ";
	const char *at = strstr(line, not);

	(void)cls;
	if (atomic_load(&state) != IDLE)
		return;
	if (at != NULL)
		snprintf(reason, sizeof(reason), "%s", at + sizeof(not) - 1);
	else if (strncmp(line, "tailbox: off, ", 14) == 0)
		snprintf(reason, sizeof(reason), "%s", line + sizeof(head) - 1);
}

static bool start(void)
{
	struct tailbox_options o;
	int rc;

	tailbox_options_init(&o);
	o.run_dir = given.run_dir;
	o.artifact_dir = given.artifact_dir;
	o.config = given.config;
	o.log = keep_reason;
	rc = tailbox_start(given.name, &o);
	if (rc != 0 && reason[0] == '\0')
		snprintf(reason, sizeof(reason), "%s", tailbox_strerror(rc));
	return rc == 0;
}

/* A program that links the shared libtailbox starts it by itself. */
static bool records_itself(void)
{
	return dlsym(RTLD_DEFAULT, "tailbox_start") != NULL;
}

static int decide(const void *caller)
{
	if (records_itself()) {
		snprintf(reason, sizeof(reason),
		         "it has libtailbox of its own");
	} else if (tailbox__real_take(caller, reason, sizeof(reason)) &&
	           start()) {
		tell_recording();
		return ATTACHED;
	}
	tell_refused();
	return REFUSED;
}

bool tailbox__agent_is_attached(void)
{
	/* Acquire: what decide() found is there. */
	return atomic_load_explicit(&state, memory_order_acquire) == ATTACHED;
}

bool tailbox__agent_attach(const void *caller)
{
	loaded();
	pthread_once(&once, set_up_once);
	pthread_mutex_lock(&lock);
	if (atomic_load(&state) == IDLE) {
		/* The admin server is a daemon, too. */
		tailbox__real_inside++;
		atomic_store(&state, decide(caller));
		tailbox__real_inside--;
	}
	pthread_mutex_unlock(&lock);
	return tailbox__agent_is_attached() && tailbox__real_is_taken(caller);
}

/* --- at exit() ------------------------------------------------------------ */

/* What nobody would fetch: tape and socket. A crash leaves them. */
__attribute__((destructor)) static void at_exit(void)
{
	const struct tailbox__tape *t = &tailbox__recorder.tape;
	char sock[sizeof(t->path) + 1];
	const char *end;

	if (is_told || !tailbox__agent_is_attached() || t->header == NULL ||
	    t->header->pid != (uint32_t)getpid())
		return;
	end = strrchr(t->path, '.');
	snprintf(sock, sizeof(sock), "%.*s.sock",
	         end != NULL ? (int)(end - t->path) : 0, t->path);
	unlink(t->path);
	unlink(sock);
}
