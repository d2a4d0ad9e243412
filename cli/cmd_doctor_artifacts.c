/* cli/cmd_doctor_artifacts.c - check of the artifact folder.
 *
 * SPDX-License-Identifier: MIT
 *
 * How many there are, a service tells: others may keep theirs in the same
 * folder, and a URL's folder cannot be seen.
 */
#include "cli/cmd_doctor.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/timeline_text.h"

/* An artifact of a busy minute is some ten megabytes. */
#define ARTIFACT_ROOM ((uint64_t)64 << 20)
#define LIST_MAX 1000u /* of GET /artifacts */

/* --- what there is -------------------------------------------------------- */

static bool machine_artifacts(const struct cli__patient *p, char *path,
                              size_t size)
{
	const char *dir = getenv("TAILBOX_ARTIFACTS");
	const char *state = getenv("STATE_DIRECTORY");
	int n = -1;

	if (dir && *dir)
		n = snprintf(path, size, "%s", dir);
	else if (state && *state)
		n = snprintf(path, size, "%.*s/tailbox",
		             (int)strcspn(state, ":"), state);
	else if (p->run_dir[0])
		n = snprintf(path, size, "%s/artifacts", p->run_dir);
	return n > 0 && (size_t)n < size;
}

/* The service names it as it sees it; with a root of its own that is another
 * place. */
static bool service_artifacts(const struct cli__patient *p, char *path,
                              size_t size)
{
	const char *told = tailbox__tree_text(p->status, "artifact_folder");
	char root[64];

	if (!told)
		return false;
	snprintf(root, sizeof(root), "/proc/%ld/root", (long)p->pid);
	bool is_seen = p->pid > 0 && access(root, X_OK) == 0;
	int n = snprintf(path, size, "%s%s", is_seen ? root : "", told);
	return n > 0 && (size_t)n < size;
}

static size_t count_artifacts(const char *path, uint64_t *bytes)
{
	static const char end[] = ".tailbox";
	DIR *dir = opendir(path);
	size_t count = 0;

	*bytes = 0;
	for (struct dirent *e; dir && (e = readdir(dir));) {
		size_t len = strlen(e->d_name);
		struct stat st;
		if (len < sizeof(end) ||
		    strcmp(e->d_name + len - (sizeof(end) - 1), end) ||
		    fstatat(dirfd(dir), e->d_name, &st, 0) != 0)
			continue;
		count++;
		*bytes += (uint64_t)st.st_size;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* What counts towards its caps. */
struct stock {
	uint64_t count, bytes, pinned, max_count, max_size;
	bool is_known; /* false: nothing above is */
};

static struct stock take_stock(const struct cli__patient *p)
{
	tailbox__tree *list = tailbox__tree_member(p->kept, "artifacts");
	tailbox__tree *caps = tailbox__tree_member(p->status, "artifacts");
	struct stock s = { .count = tailbox__tree_count(list) };

	s.max_count = tailbox__tree_number(caps, "max_count", 0);
	s.max_size = tailbox__tree_number(caps, "max_size", 0);
	s.is_known = list && s.max_count && s.max_size;
	for (size_t i = 0; i < s.count; i++) {
		tailbox__tree *e = tailbox__tree_at(list, i);
		s.bytes += tailbox__tree_number(e, "bytes", 0) +
		           tailbox__tree_number(e, "json_bytes", 0);
		s.pinned += tailbox__tree_is_true(e, "pinned");
	}
	return s;
}

/* "3 of at most 100, 1.2 MiB of at most 256 MiB, 1 pinned" */
static void stock_text(const struct stock *s, char *buf, size_t size)
{
	char used[TAILBOX__SHOW_ROOM], most[TAILBOX__SHOW_ROOM];
	bool is_cut = s->count >= LIST_MAX;

	if (!s->is_known) {
		snprintf(buf, size, "how many artifacts is not known");
		return;
	}
	snprintf(buf, size,
	         "%" PRIu64 "%s artifact%s (cap %" PRIu64 ") of %s%s (cap %s), "
	         "%" PRIu64 " pinned",
	         s->count, is_cut ? " or more" : "", s->count == 1 ? "" : "s",
	         s->max_count, is_cut ? "at least " : "",
	         tailbox__show_bytes(used, s->bytes),
	         tailbox__show_bytes(most, s->max_size), s->pinned);
}

/* --- the check ------------------------------------------------------------ */

static void degrade(struct cli__finding *f, const char *what, const char *why)
{
	size_t len = strlen(f->found);

	f->health = CLI__DEGRADED;
	snprintf(f->found + len, sizeof(f->found) - len, "; %s%.200s", what,
	         why);
}

/* What the service itself says of its folder. */
static void judge_stock(const struct cli__patient *p, const struct stock *s,
                        struct cli__finding *f)
{
	tailbox__tree *window = tailbox__tree_member(p->status, "window");
	tailbox__tree *caps = tailbox__tree_member(p->status, "artifacts");
	const char *last = tailbox__tree_text(window, "last_error");
	const char *json = tailbox__tree_text(caps, "json_error");

	if (last)
		degrade(f, "the last window: ", last);
	else if (json)
		degrade(f, "the last JSON: ", json);
	if (f->health != CLI__HEALTHY)
		return;
	if (!s->is_known) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "see GET /artifacts of the service for why");
	} else if (s->count > s->max_count || s->bytes > s->max_size) {
		degrade(f, "over the caps: pinned ones and the newest stay, "
		           "others go with the next", "");
		cli__mend(f, "unpin or delete some, or raise max_count or "
		             "max_size of [artifacts]");
	}
}

static bool far_artifacts(const struct cli__patient *p, const char *shown,
                          struct cli__finding *f)
{
	struct stock s = take_stock(p);
	char text[200];

	stock_text(&s, text, sizeof(text));
	cli__found(f, CLI__HEALTHY, "%.200s, %s; its free space is not seen "
	                            "from here", shown, text);
	judge_stock(p, &s, f);
	if (f->health != CLI__HEALTHY && !f->mend[0])
		cli__mend(f, "see %.200s where the service runs", shown);
	return true;
}

bool cli__check_artifacts(struct cli__patient *p, struct cli__finding *f)
{
	char path[CLI__PATH_MAX], at[CLI__PATH_MAX], text[200];
	char used[TAILBOX__SHOW_ROOM], left[TAILBOX__SHOW_ROOM];
	struct stock s = take_stock(p);
	struct statvfs room;
	const char *shown = path;
	uint64_t bytes;

	if (!(p->service ? service_artifacts(p, path, sizeof(path))
	                 : machine_artifacts(p, path, sizeof(path))))
		return false;
	if (p->service)
		shown = tailbox__tree_text(p->status, "artifact_folder");
	if (p->is_elsewhere)
		return far_artifacts(p, shown, f);
	cli__present_part(path, at, sizeof(at));
	if (statvfs(at, &room) != 0)
		return cli__found(f, CLI__FAILED, "%s: %s", shown,
		                  tailbox_strerror(errno));
	stock_text(&s, text, sizeof(text));
	if (!p->service) {
		size_t count = count_artifacts(path, &bytes);
		snprintf(text, sizeof(text), "%zu artifact%s of %s", count,
		         count == 1 ? "" : "s",
		         tailbox__show_bytes(used, bytes));
	}
	uint64_t avail = (uint64_t)room.f_bavail * room.f_frsize;
	cli__found(f, CLI__HEALTHY, "%.300s%s, %s, %s free", shown,
	           strcmp(at, path) ? ", will be made" : "", text,
	           tailbox__show_bytes(left, avail));
	size_t len = strlen(f->found);
	/* Of a service only the service could tell. */
	int fd = p->service ? 0 : cli__nameless(at);
	if (fd > 0)
		close(fd);
	if (fd < 0) {
		f->health = CLI__FAILED;
		snprintf(f->found + len, sizeof(f->found) - len,
		         "; cannot be written into: %s", tailbox_strerror(fd));
	} else if (room.f_flag & ST_RDONLY) {
		f->health = CLI__FAILED;
		snprintf(f->found + len, sizeof(f->found) - len,
		         "; on a read-only file system");
	} else if (p->service) {
		judge_stock(p, &s, f);
	}
	if (f->health == CLI__HEALTHY && avail < ARTIFACT_ROOM) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "make room, or set TAILBOX_ARTIFACTS to a folder "
		             "with more");
	}
	return true;
}
