/* cli/cmd_doctor_memory.c - checks of the tape against memory and its limits.
 *
 * SPDX-License-Identifier: MIT
 *
 * A service sizes its tape by the cgroup limit that stands at the root of
 * what it sees, as in a container. A limit further down (a systemd unit on
 * the host) it does not see; here it is looked for by /proc/PID/cgroup.
 */
#include "cli/cmd_doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "analyzer/timeline_text.h"
#include "core/tape.h"

#define NO_LIMIT ((uint64_t)1 << 60) /* v1 says PAGE_COUNTER_MAX for none */
#define SHARE 32u        /* the rule: a tape is 1/32 of the limit */
#define SHARE_SHOWS 8u   /* more than 1/8 of it may hurt */
#define HISTORY_MIN_MS 10000u

struct limit {
	uint64_t bytes; /* UINT64_MAX = none */
	bool is_v2, is_known;
};

static void take(struct limit *l, const char *folder, const char *file,
                 bool is_v2)
{
	char path[2 * CLI__PATH_MAX], text[64];
	uint64_t bytes;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (cli__doctor_read(path, text, sizeof(text)) != 0)
		return;
	l->is_known = true;
	if (!cli__count(text, &bytes) || bytes >= NO_LIMIT ||
	    bytes >= l->bytes)
		return; /* "max" too */
	l->bytes = bytes;
	l->is_v2 = is_v2;
}

static void take_both(struct limit *l, const char *below)
{
	char folder[CLI__PATH_MAX + 64];

	snprintf(folder, sizeof(folder), "/sys/fs/cgroup%s", below);
	take(l, folder, "memory.max", true);
	snprintf(folder, sizeof(folder), "/sys/fs/cgroup/unified%s", below);
	take(l, folder, "memory.max", true);
	snprintf(folder, sizeof(folder), "/sys/fs/cgroup/memory%s", below);
	take(l, folder, "memory.limit_in_bytes", false);
}

/* Of the cgroup and all above it. pid 0: what stands at the root. */
static void find_limit(struct limit *l, pid_t pid)
{
	char path[64], line[CLI__PATH_MAX];
	FILE *in = NULL;

	*l = (struct limit){ .bytes = UINT64_MAX };
	take_both(l, "");
	snprintf(path, sizeof(path), "/proc/%ld/cgroup", (long)pid);
	if (pid > 0)
		in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in)) {
		char *controllers = strchr(line, ':');
		char *below = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!below)
			continue;
		*below++ = '\0';
		below[strcspn(below, "\n")] = '\0';
		if (controllers[1] && !strstr(controllers, "memory"))
			continue;
		/* From the deepest up; the root is done. */
		for (char *cut = below; cut && below[0] && below[1];) {
			take_both(l, below);
			cut = strrchr(below, '/');
			if (cut)
				*cut = '\0';
		}
	}
	if (in)
		fclose(in);
}

static const char *limit_text(const struct limit *l, char *buf, size_t size)
{
	char bytes[TAILBOX__SHOW_ROOM];

	if (!l->is_known)
		snprintf(buf, size, "not known (no /sys/fs/cgroup)");
	else if (l->bytes == UINT64_MAX)
		snprintf(buf, size, "none");
	else
		snprintf(buf, size, "%s (cgroup v%d)",
		         tailbox__show_bytes(bytes, l->bytes), l->is_v2 ? 2 : 1);
	return buf;
}

/* As a service would size it: core/tape.c. */
static uint64_t size_by_rule(uint64_t room, uint64_t limit)
{
	uint64_t want = TAILBOX__TAPE_DEFAULT, size = TAILBOX__TAPE_MAX;

	if (room / 4 < want)
		want = room / 4;
	if (limit / SHARE < want)
		want = limit / SHARE;
	while (size > want && size > TAILBOX__TAPE_MIN)
		size /= 2;
	return size;
}

bool cli__check_tape_size(struct cli__patient *p, struct cli__finding *f)
{
	char at[CLI__PATH_MAX], limit[96], a[TAILBOX__SHOW_ROOM];
	char b[TAILBOX__SHOW_ROOM];
	struct limit seen, real;
	struct statvfs fs;

	if (!p->run_dir[0])
		return false;
	snprintf(at, sizeof(at), "%s", p->run_dir);
	if (statvfs(at, &fs) != 0) { /* not made yet: its parent's */
		char *slash = strrchr(at, '/');
		if (slash)
			slash[slash == at] = '\0';
		if (!slash || statvfs(at, &fs) != 0)
			return false;
	}
	find_limit(&seen, 0);
	find_limit(&real, getpid());
	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	uint64_t size = size_by_rule(room, seen.bytes);
	cli__found(f, CLI__HEALTHY,
	           "%s by default; free space %s, memory limit %s",
	           tailbox__show_bytes(a, size), tailbox__show_bytes(b, room),
	           limit_text(&real, limit, sizeof(limit)));
	size_t len = strlen(f->found);
	if (size > real.bytes / SHARE_SHOWS) {
		f->health = CLI__DEGRADED;
		snprintf(f->found + len, sizeof(f->found) - len,
		         ", of which it is more than 1/%u", SHARE_SHOWS);
		cli__mend(f, "set a smaller tape, or raise the memory limit");
	} else if (size < TAILBOX__TAPE_DEFAULT) {
		f->health = CLI__DEGRADED;
		snprintf(f->found + len, sizeof(f->found) - len,
		         "; %s where there is room",
		         tailbox__show_bytes(a, TAILBOX__TAPE_DEFAULT));
	} else if (!real.is_known) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "mount /sys read-only, or set the tape's size by "
		             "hand where memory is limited");
	}
	return true;
}

/* The tape is shorter than what the settings wish. next: bytes of the next
 * start's. */
static void tell_of_wish(struct cli__finding *f, uint64_t bytes, uint64_t next,
                         uint64_t wished)
{
	char a[TAILBOX__SHOW_ROOM];
	const size_t len = strlen(f->found);

	f->health = CLI__DEGRADED;
	snprintf(f->found + len, sizeof(f->found) - len, "; %s are wished",
	         tailbox__show_coarse(a, wished * 1000000, 1000000));
	if (next > bytes)
		cli__mend(f, "restart the service: its tape will have %s",
		          tailbox__show_bytes(a, next));
	else
		cli__mend(f, "it may take no more: raise size of [tape], or "
		             "give it more memory; where the rate has just "
		             "risen, look again in 10 s");
}

bool cli__check_tape(struct cli__patient *p, struct cli__finding *f)
{
	tailbox__tree *tape = tailbox__tree_member(p->status, "tape");
	uint64_t none = UINT64_MAX, bytes = none, history, wished, next;
	char a[TAILBOX__SHOW_ROOM], b[TAILBOX__SHOW_ROOM], limit[96];
	struct limit l;

	if (p->reader)
		bytes = tailbox__reader_header(p->reader)->file_bytes;
	bytes = tailbox__tree_number(tape, "bytes", bytes);
	history = tailbox__tree_number(tape, "history_ms", none);
	wished = tailbox__tree_number(tape, "wished_ms", 0);
	/* Known once the rate is that of 10 s. */
	next = tailbox__tree_number(tape, "bytes_at_next_start", 0);
	if (bytes == none)
		return false;
	find_limit(&l, p->pid);
	cli__found(f, CLI__HEALTHY, "%s, %s of history; memory limit %s",
	           tailbox__show_bytes(a, bytes),
	           history == none
	                   ? "no known length"
	                   : tailbox__show_coarse(b, history * 1000000,
	                                          1000000),
	           p->pid ? limit_text(&l, limit, sizeof(limit))
	           : p->service->url[0] ? "not seen from here"
	                                : "not known");
	if (!cli__is_alive(p->service))
		cli__found(f, CLI__HEALTHY, "%s, kept", a);
	if (p->pid && bytes > l.bytes / SHARE_SHOWS) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "set a smaller tape, or raise the memory limit");
	} else if (history < wished && next) {
		tell_of_wish(f, bytes, next, wished);
	} else if (history < HISTORY_MIN_MS) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "set a larger tape: under 10 s of history is "
		             "little to look back on");
	}
	return true;
}
