/* cli/cmd_doctor.c - `tailbox doctor`: what works, what is degraded, what
 * mends it.
 *
 * SPDX-License-Identifier: MIT
 *
 * A service is looked at from outside: its tape, its socket, /proc. So a
 * doctor that is not allowed something (another user, another container) says
 * less of it, never something wrong.
 */
#include "cli/cmd_doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/output.h"
#include "cli/proc.h"

static const char *const health_names[CLI__HEALTH_COUNT] = {
	"ok", "degraded", "fail"
};

/* --- the tables ----------------------------------------------------------- */

const struct cli__check cli__machine_checks[] = {
	{ "run folder", cli__check_run_folder,
	  "set TAILBOX_DIR to a folder that can be made, on tmpfs" },
	{ "fallocate", cli__check_fallocate,
	  "set TAILBOX_DIR to a folder on tmpfs with free space" },
	{ "tape size", cli__check_tape_size,
	  "give the run folder or the container more memory" },
	{ "artifacts", cli__check_artifacts,
	  "set TAILBOX_ARTIFACTS to a folder that this user may write into" },
	{ "clock", cli__check_clock,
	  "let the kernel keep time by the TSC (clocksource=tsc)" },
	{ "TCP_INFO", cli__check_tcp_info,
	  "allow getsockopt(IPPROTO_TCP, TCP_INFO) in the seccomp filter" },
	{ "membarrier", cli__check_membarrier,
	  "allow membarrier(2) in the seccomp filter; Linux 4.14 or newer" },
	{ "/proc", cli__check_proc, "mount /proc where services run" },
	{ "PSI", cli__check_psi,
	  "boot with psi=1, and let /proc/pressure be seen" },
	{ "limits", cli__check_limits,
	  "raise the limit on open files (ulimit -n, LimitNOFILE=)" },
	{ NULL, NULL, NULL }
};

const struct cli__check cli__service_checks[] = {
	{ "process", cli__check_process, NULL },
	{ "admin socket", cli__check_socket, NULL },
	{ "admin server", cli__check_url, NULL },
	{ "admin TCP", cli__check_tcp, NULL },
	{ "configuration", cli__check_config, NULL },
	{ "recording", cli__check_recording, NULL },
	{ "run folder", cli__check_run_folder,
	  "set TAILBOX_DIR for the service to a folder of its own on tmpfs" },
	{ "fallocate", cli__check_fallocate,
	  "set TAILBOX_DIR for the service to a folder on tmpfs" },
	{ "tape", cli__check_tape,
	  "start the service with another tape size, or more memory" },
	{ "artifacts", cli__check_artifacts,
	  "make room, or set TAILBOX_ARTIFACTS and start it again" },
	{ "clock", cli__check_clock,
	  "let the service see /sys (read-only is enough), start it again" },
	{ "TCP_INFO", cli__check_tcp_info,
	  "allow getsockopt(IPPROTO_TCP, TCP_INFO) in its seccomp filter" },
	{ "membarrier", cli__check_membarrier,
	  "allow membarrier(2) in its seccomp filter; Linux 4.14 or newer" },
	{ "/proc", cli__check_proc, "mount /proc where the service runs" },
	{ "MHD", cli__check_mhd, NULL },
	{ "daemons", cli__check_daemons, NULL },
	{ "threads", cli__check_threads, "start the service again" },
	{ "losses", cli__check_losses,
	  "a larger tape, or longer-lived threads; doc/operate.md" },
	{ "versions", cli__check_versions,
	  "start the service again with the library of this version" },
	{ "limits", cli__check_limits,
	  "raise LimitNOFILE= or ulimit -n for the service" },
	{ "notes", cli__check_notes,
	  "correct the setting, then start the service again" },
	{ NULL, NULL, NULL }
};

/* Those that look at files and /proc, which of a URL cannot be done. */
static bool is_by_machine(const struct cli__check *c)
{
	return c->look == cli__check_run_folder ||
	       c->look == cli__check_fallocate || c->look == cli__check_proc ||
	       c->look == cli__check_threads || c->look == cli__check_limits;
}

/* --- findings ------------------------------------------------------------- */

bool cli__found(struct cli__finding *f, enum cli__health health,
                const char *fmt, ...)
{
	va_list args;

	f->health = health;
	va_start(args, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, args);
	va_end(args);
	return true;
}

void cli__mend(struct cli__finding *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->mend, sizeof(f->mend), fmt, args);
	va_end(args);
}

uint64_t cli__doctor_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int cli__doctor_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	int error = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return error;
}

/* --- a patient ------------------------------------------------------------ */

/* Its pid as we see it. The header has the one of its own namespace; the
 * kernel tells ours by the lock on the tape. */
static pid_t pid_here(const struct cli__service *s)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	if (!cli__is_alive(s))
		return 0;
	if (!s->tape[0] || s->is_by_pid)
		return (pid_t)s->pid;
	/* Not ours to write, so the lock is asked for by reading. */
	lock.l_type = F_RDLCK;
	fd = open(s->tape, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK ||
	    lock.l_pid < 0)
		lock.l_pid = 0;
	close(fd);
	return lock.l_pid;
}

/* Whether who listens on the socket is not the service, but carries it here, as
 * ssh does: /proc would tell of ssh then. The service says its own number; in
 * a container it is the inner one. */
static bool is_carried(const struct cli__patient *p)
{
	const uint64_t said = tailbox__tree_number(p->status, "pid", 0);
	uint32_t inner;
	uint64_t uid;

	if (p->reader || p->pid <= 0 || !said)
		return false;
	cli__proc_inside((uint32_t)p->pid, &inner, &uid);
	return said != inner;
}

static void admit(struct cli__patient *p, const struct cli__service *s,
                  bool is_named)
{
	memset(p, 0, sizeof(*p));
	p->tape_error = (struct tailbox__error)TAILBOX__ERROR_INIT;
	if (!s)
		return;
	const struct cli__target t = { .service = *s };
	const char *file = s->tape[0] ? cli__tape_place(s) : cli__place(s);
	const char *slash = strrchr(file, '/');

	p->service = s;
	p->is_named = is_named;
	p->pid = pid_here(s);
	cli__target_word(&t, p->word, sizeof(p->word));
	if (!s->url[0])
		snprintf(p->run_dir, sizeof(p->run_dir), "%.*s",
		         slash ? (int)(slash - file) : 1, slash ? file : ".");
	if (s->tape[0])
		(void)tailbox__reader_open(s->tape, &p->reader, &p->tape_error);
	cli__doctor_ask(p);
	p->is_carried = is_carried(p);
	if (p->is_carried)
		p->pid = 0;
	/* A socket that was carried here, by ssh or a shared folder. */
	const char *tape = tailbox__tree_text(
	        tailbox__tree_member(p->status, "tape"), "path");
	p->is_elsewhere = !p->reader && !s->is_unreadable &&
	                  (tape || !s->pid);
}

static void discharge(struct cli__patient *p)
{
	tailbox__reader_close(p->reader);
	tailbox__tree_free(p->status);
	tailbox__tree_free(p->kept);
	cli__http_fini(&p->http);
}

/* --- the report ----------------------------------------------------------- */

struct report {
	struct tailbox__json json;
	bool is_json;
	unsigned count[CLI__HEALTH_COUNT];
};

/* Foreign texts are in it: one line, and nothing that moves a cursor. */
static void one_line(char *text)
{
	for (char *c = text; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	cli__clean(text);
}

static void put_text(struct report *r, const char *key, const char *text)
{
	tailbox__json_key(&r->json, key);
	if (text && *text)
		tailbox__json_cstr(&r->json, text);
	else
		tailbox__json_null(&r->json);
}

static void put_finding(struct report *r, const struct cli__check *c,
                        struct cli__finding *f)
{
	const char *mend = f->mend[0] ? f->mend : c->mend;

	one_line(f->found);
	one_line(f->mend);
	r->count[f->health]++;
	if (r->is_json) {
		tailbox__json_begin_object(&r->json);
		put_text(r, "check", c->name);
		put_text(r, "state", health_names[f->health]);
		put_text(r, "found", f->found);
		put_text(r, "mend", f->health ? mend : NULL);
		tailbox__json_end_object(&r->json);
		return;
	}
	fprintf(cli__out(), "  %-9s %-13s %s", health_names[f->health], c->name,
	        f->found);
	if (f->health && mend)
		fprintf(cli__out(), "; mend: %s", mend);
	fputc('\n', cli__out());
}

/* The line of a check that only the machine of a URL could answer. Where
 * nobody answers at all, that says enough. */
static bool is_far(const struct cli__patient *p, struct cli__finding *f)
{
	if (!p->status)
		return false;
	cli__mend(f, "run tailbox doctor where the service runs");
	return cli__found(f, CLI__DEGRADED, "not seen from here");
}

static void look(struct report *r, struct cli__patient *p,
                 const struct cli__check *checks)
{
	if (r->is_json) {
		tailbox__json_key(&r->json, "checks");
		tailbox__json_begin_array(&r->json);
	}
	for (const struct cli__check *c = checks; c->name; c++) {
		struct cli__finding f = { .health = CLI__HEALTHY };
		bool is_of_url = p->service && p->service->url[0];
		if (is_of_url && is_by_machine(c) ? is_far(p, &f)
		                                  : c->look(p, &f))
			put_finding(r, c, &f);
	}
	if (r->is_json)
		tailbox__json_end_array(&r->json);
}

static void look_at_machine(struct report *r)
{
	struct cli__patient p;
	struct utsname u;

	admit(&p, NULL, false);
	if (uname(&u) != 0)
		memset(&u, 0, sizeof(u));
	if (r->is_json) {
		tailbox__json_key(&r->json, "machine");
		tailbox__json_begin_object(&r->json);
		put_text(r, "host", u.nodename);
		put_text(r, "kernel", u.release);
	} else {
		fprintf(cli__out(), "this machine, %s, Linux %s\n", u.nodename,
		        u.release);
	}
	look(r, &p, cli__machine_checks);
	if (r->is_json)
		tailbox__json_end_object(&r->json);
	discharge(&p);
}

static void look_at_service(struct report *r, const struct cli__service *s,
                            bool is_named)
{
	struct cli__patient p;

	admit(&p, s, is_named);
	if (r->is_json) {
		tailbox__json_begin_object(&r->json);
		put_text(r, "service",
		         s->url[0] ? tailbox__tree_text(p.status, "service")
		                   : s->name);
		tailbox__json_key(&r->json, "pid");
		if (s->pid && !p.is_carried)
			tailbox__json_u64(&r->json, s->pid);
		else
			tailbox__json_null(&r->json);
		put_text(r, "tape", s->tape);
		put_text(r, "socket", s->sock);
		put_text(r, "url", s->url);
	} else {
		fputs(s->url[0] ? s->url : s->name, cli__out());
		if (s->pid && !p.is_carried)
			fprintf(cli__out(), ", pid %" PRIu32, s->pid);
		fputc('\n', cli__out());
	}
	look(r, &p, cli__service_checks);
	if (r->is_json)
		tailbox__json_end_object(&r->json);
	discharge(&p);
}

/* This machine, then all that is recorded on it. */
static int look_at_all(struct report *r)
{
	struct cli__services s;
	int rc = cli__services(&s, false);

	if (rc != 0)
		return rc;
	look_at_machine(r);
	if (r->is_json) {
		tailbox__json_key(&r->json, "services");
		tailbox__json_begin_array(&r->json);
	} else if (!s.count) {
		fputs("no recorded service of this user\n", cli__out());
	}
	for (size_t i = 0; i < s.count; i++)
		look_at_service(r, &s.items[i], false);
	if (r->is_json)
		tailbox__json_end_array(&r->json);
	cli__services_fini(&s);
	return CLI__DONE;
}

static int look_at_one(struct report *r, const struct cli__service *s)
{
	if (r->is_json) {
		tailbox__json_key(&r->json, "services");
		tailbox__json_begin_array(&r->json);
	}
	look_at_service(r, s, true);
	if (r->is_json)
		tailbox__json_end_array(&r->json);
	return CLI__DONE;
}

static int put_end(struct report *r)
{
	int rc = CLI__DONE;

	if (r->is_json) {
		for (unsigned i = 0; i < CLI__HEALTH_COUNT; i++) {
			tailbox__json_key(&r->json, health_names[i]);
			tailbox__json_u64(&r->json, r->count[i]);
		}
		tailbox__json_end_object(&r->json);
		rc = cli__put_json(&r->json);
	} else {
		fprintf(cli__out(), "%u ok, %u degraded, %u failed\n",
		        r->count[CLI__HEALTHY], r->count[CLI__DEGRADED],
		        r->count[CLI__FAILED]);
	}
	if (rc != CLI__DONE || !r->count[CLI__FAILED])
		return rc;
	/* The report is the result, also when it is bad news. */
	rc = cli__put_now();
	return rc != CLI__DONE
	               ? rc
	               : cli__fail("%u of %u checks failed",
	                           r->count[CLI__FAILED],
	                           r->count[CLI__HEALTHY] +
	                                   r->count[CLI__DEGRADED] +
	                                   r->count[CLI__FAILED]);
}

int cli__doctor(const struct cli__command *self, int argc, char **argv)
{
	struct report r = { .is_json = false };
	const struct cli__option options[] = {
		{ "json", 0, CLI__FLAG, &r.is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    (first < argc && !cli__target_service(self, argv[first], &t, &rc)))
		return rc;
	if (r.is_json) {
		tailbox__json_init(&r.json, true);
		tailbox__json_begin_object(&r.json);
		put_text(&r, "version", tailbox_version());
	}
	rc = first < argc ? look_at_one(&r, &t.service) : look_at_all(&r);
	if (rc == CLI__DONE)
		return put_end(&r);
	if (r.is_json)
		tailbox__json_fini(&r.json);
	return rc;
}
