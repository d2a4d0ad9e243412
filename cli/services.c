/* cli/services.c - find recorded processes by their tapes and sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/services.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/timeline_text.h"
#include "cli/sock.h"
#include "core/alloc.h"
#include "core/run.h"

bool cli__run_folder(unsigned i, char *path, size_t size)
{
	const char *dir = getenv("TAILBOX_DIR");
	const char *runtime = getenv("RUNTIME_DIRECTORY");
	int n = 0;

	path[0] = '\0';
	if (i == 0 && dir && *dir)
		n = snprintf(path, size, "%s", dir);
	else if (i == 1 && runtime && *runtime) /* may be a list: the first */
		n = snprintf(path, size, "%.*s/tailbox",
		             (int)strcspn(runtime, ":"), runtime);
	else if (i == 2)
		n = snprintf(path, size, "/dev/shm/tailbox-%lu",
		             (unsigned long)geteuid());
	if ((size_t)n >= size)
		path[0] = '\0';
	return i <= 2;
}

bool cli__is_alive(const struct cli__service *s)
{
	return s->writer == TAILBOX__WRITER_LIVE ||
	       s->writer == TAILBOX__WRITER_STOPPED;
}

const char *cli__state_name(const struct cli__service *s)
{
	if (!s->tape[0] && cli__is_alive(s))
		return s->is_unreadable ? "unreadable" : "unrecorded";
	if (!s->tape[0])
		return "dead";
	switch (s->writer) {
	case TAILBOX__WRITER_LIVE:
		return "live";
	case TAILBOX__WRITER_STOPPED:
		return "stopped";
	case TAILBOX__WRITER_CLOSED:
		return "closed";
	case TAILBOX__WRITER_DEAD:
		break;
	}
	return "dead";
}

const char *cli__tape_place(const struct cli__service *s)
{
	return s->shown_tape[0] ? s->shown_tape : s->tape;
}

const char *cli__place(const struct cli__service *s)
{
	if (s->url[0])
		return s->url;
	if (s->shown_sock[0] || s->sock[0])
		return s->shown_sock[0] ? s->shown_sock : s->sock;
	return cli__tape_place(s);
}

/* --- one tape ------------------------------------------------------------- */

static uint64_t sum_losses(struct tailbox__reader *r)
{
	const struct tailbox__tape_header *h = tailbox__reader_header(r);
	uint64_t sum = 0;

	for (unsigned i = 0; i < TAILBOX__LOSS_COUNT; i++)
		sum += TAILBOX__GET(h->losses[i]);
	sum += tailbox__reader_sum(
	        r, offsetof(struct tailbox__thread_entry, lost_requests));
	sum += tailbox__reader_sum(
	        r, offsetof(struct tailbox__thread_entry, lost_spans));
	sum += tailbox__reader_sum(
	        r, offsetof(struct tailbox__thread_entry, lost_holds));
	return sum;
}

static uint64_t count_open(struct tailbox__reader *r)
{
	const struct tailbox__slot *slots;
	long n = tailbox__reader_slots(r, &slots);
	uint64_t open = 0;

	for (long i = 0; i < n; i++)
		open += TAILBOX__GET(slots[i].state) == TAILBOX__SLOT_OPEN;
	return open;
}

/* The socket that belongs to a tape: the same name but for its end. */
static void find_socket(struct cli__service *s)
{
	size_t len = strlen(s->tape);
	struct stat st;

	if (len < 5 || strcmp(s->tape + len - 5, ".tape"))
		return;
	snprintf(s->sock, sizeof(s->sock), "%.*s.sock", (int)(len - 5),
	         s->tape);
	if (lstat(s->sock, &st) < 0 || !S_ISSOCK(st.st_mode))
		s->sock[0] = '\0';
}

bool cli__service_of_tape(const char *path, struct cli__service *out, bool tell)
{
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__reader *r;
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (tailbox__reader_open(path, &r, &err) < 0) {
		if (tell)
			cli__say("%s: %s", path, err.text);
		return false;
	}
	const struct tailbox__tape_header *h = tailbox__reader_header(r);
	snprintf(out->name, sizeof(out->name), "%s", h->service);
	snprintf(out->version, sizeof(out->version), "%s", h->service_version);
	cli__clean(out->name);
	cli__clean(out->version);
	snprintf(out->tape, sizeof(out->tape), "%s", path);
	out->writer = tailbox__reader_writer(r);
	out->inner_pid = h->pid;
	out->pid = tailbox__reader_writer_pid(r);
	if (!out->pid) /* dead; or its namespace cannot be seen from ours */
		out->pid = h->pid;
	out->started_ms = h->anchor_wall_ns / 1000000;
	out->begun = tailbox__reader_sum(
	        r, offsetof(struct tailbox__thread_entry, begun));
	out->finished = tailbox__reader_sum(
	        r, offsetof(struct tailbox__thread_entry, finished));
	out->open = count_open(r);
	out->lost = sum_losses(r);
	if (!stat(path, &st)) {
		out->dev = st.st_dev;
		out->ino = st.st_ino;
	}
	tailbox__reader_close(r);
	find_socket(out);
	return true;
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len > n && !strcmp(name + len - n, end);
}

/* "SERVICE.PID.sock"; false, and the whole name taken, when it is not. */
static bool take_name(const char *path, struct cli__service *out)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = strlen(name);
	char digits[16];
	uint64_t pid;

	snprintf(out->name, sizeof(out->name), "%s", name);
	cli__clean(out->name);
	if (!ends_with(name, ".sock"))
		return false;
	len -= 5;
	const char *dot = memrchr(name, '.', len);
	if (!dot || dot == name || (size_t)(name + len - dot) > sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)(name + len - dot - 1),
	         dot + 1);
	if (!cli__count(digits, &pid) || !pid || pid > INT32_MAX)
		return false;
	out->inner_pid = (uint32_t)pid;
	snprintf(out->name, sizeof(out->name), "%.*s", (int)(dot - name), name);
	cli__clean(out->name);
	return true;
}

/* A socket without a tape: the service runs unrecorded. */
static bool service_of_socket(const char *path, struct cli__service *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->sock, sizeof(out->sock), "%s", path);
	bool is_ours = take_name(path, out);
	int rc = cli__sock_probe(path, &out->pid);
	if (!out->pid)
		out->pid = out->inner_pid;
	/* Not permitted to try: nobody knows, so it is not called dead. */
	out->writer = rc == 0 || rc == -EACCES || rc == -EPERM
	                      ? TAILBOX__WRITER_LIVE
	                      : TAILBOX__WRITER_DEAD;
	return is_ours;
}

/* The tape that belongs to a socket; "" = its name is none of ours. */
static const char *tape_of(const char *path, char buf[CLI__PATH_MAX])
{
	buf[0] = '\0';
	if (ends_with(path, ".sock"))
		snprintf(buf, CLI__PATH_MAX, "%.*s.tape",
		         (int)(strlen(path) - 5), path);
	return buf;
}

void cli__service_of_socket(const char *path, struct cli__service *out)
{
	char tape[CLI__PATH_MAX];

	if (*tape_of(path, tape) && cli__service_of_tape(tape, out, false)) {
		snprintf(out->sock, sizeof(out->sock), "%s", path);
		return;
	}
	(void)service_of_socket(path, out);
	out->is_unreadable = *tape && access(tape, F_OK) == 0;
}

/* --- folders -------------------------------------------------------------- */

static bool is_known(const struct cli__services *s,
                     const struct cli__service *one)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct cli__service *k = &s->items[i];
		if (one->tape[0] && k->dev == one->dev && k->ino == one->ino)
			return true;
		if (!one->tape[0] && !strcmp(k->sock, one->sock))
			return true;
	}
	return false;
}

/* So that a socket is connected to only where its tape does not tell. */
static bool is_known_socket(const struct cli__services *s, const char *path)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->items[i].sock, path))
			return true;
	return false;
}

static int add(struct cli__services *s, const struct cli__service *one)
{
	if (s->count >= CLI__SERVICES_MAX || is_known(s, one))
		return 0;
	struct cli__service *place = tailbox__list_grow(
	        (void **)&s->items, &s->count, &s->room, sizeof(*s->items));
	if (!place)
		return cli__no_memory();
	*place = *one;
	return 0;
}

/* Anybody may make a folder in /dev/shm: one of somebody else's, or a link,
 * is not looked into. Root's are fine. */
static bool is_trusted(const char *folder)
{
	struct stat st;

	return lstat(folder, &st) == 0 &&
	       (strncmp(folder, "/dev/shm/", 9) || S_ISDIR(st.st_mode)) &&
	       (st.st_uid == geteuid() || st.st_uid == 0 || geteuid() == 0);
}

/* Tapes first: a socket is one of its own only when it has no tape. */
static int look_into(const char *folder, const char *end,
                     struct cli__services *s, bool tell)
{
	DIR *dir = is_trusted(folder) ? opendir(folder) : NULL;
	char path[CLI__PATH_MAX], tape[CLI__PATH_MAX];
	int rc = 0;

	for (struct dirent *e; dir && rc == 0 && (e = readdir(dir));) {
		struct cli__service one;
		int n = snprintf(path, sizeof(path), "%s/%s", folder,
		                 e->d_name);
		if (n < 0 || (size_t)n >= sizeof(path) ||
		    !ends_with(e->d_name, end))
			continue;
		if (!strcmp(end, ".sock")) {
			if (!is_known_socket(s, path) &&
			    service_of_socket(path, &one)) {
				one.is_unreadable =
				        access(tape_of(path, tape), F_OK) == 0;
				rc = add(s, &one);
			}
		} else if (cli__service_of_tape(path, &one, tell)) {
			rc = add(s, &one);
		}
	}
	if (dir)
		closedir(dir);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct cli__service *x = a, *y = b;

	if (cli__is_alive(x) != cli__is_alive(y))
		return cli__is_alive(x) ? -1 : 1;
	int order = strcmp(x->name, y->name);
	return order ? order : x->pid < y->pid ? -1 : x->pid > y->pid;
}

int cli__services(struct cli__services *out, bool tell)
{
	static const char *const ends[] = { ".tape", ".sock" };
	char folder[CLI__PATH_MAX];
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; rc == 0 && cli__run_folder(i, folder,
	                                                sizeof(folder));
	     i++)
		for (unsigned k = 0; rc == 0 && folder[0] && k < 2; k++)
			rc = look_into(folder, ends[k], out, tell);
	if (rc != 0) {
		cli__services_fini(out);
		return rc;
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_name);
	return 0;
}

void cli__services_fini(struct cli__services *s)
{
	tailbox__free(s->items);
	memset(s, 0, sizeof(*s));
}

static void put_service(const struct cli__service *one, FILE *out)
{
	char when[TAILBOX__SHOW_ROOM];

	tailbox__show_padded(out, one->name, strlen(one->name), 18);
	fprintf(out, " %7" PRIu32 " %-10s ", one->pid, cli__state_name(one));
	if (!one->tape[0]) {
		fputs("-\n", out);
		return;
	}
	fprintf(out, "%-19s %10" PRIu64 " %5" PRIu64 " %5" PRIu64 "\n",
	        tailbox__show_utc(when, one->started_ms), one->begun,
	        one->open, one->lost);
}

void cli__put_services(const struct cli__services *s, FILE *out)
{
	bool was_alive = true;
	size_t dead = 0;

	fprintf(out, "%-18s %7s %-10s %-19s %10s %5s %5s\n", "SERVICE", "PID",
	        "STATE", "SINCE (UTC)", "REQUESTS", "OPEN", "LOST");
	for (size_t i = 0; i < s->count; i++) {
		if (was_alive && !cli__is_alive(&s->items[i]))
			fputs("left behind\n", out);
		was_alive = cli__is_alive(&s->items[i]);
		put_service(&s->items[i], out);
		dead += s->items[i].tape[0] &&
		        s->items[i].writer == TAILBOX__WRITER_DEAD;
	}
	if (dead)
		fprintf(out, "%zu tape%s of crashes: tailbox recover makes "
		        "artifacts of them\n", dead, dead == 1 ? "" : "s");
}
