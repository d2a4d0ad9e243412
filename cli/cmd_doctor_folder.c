/* cli/cmd_doctor_folder.c - checks of the run folder.
 *
 * SPDX-License-Identifier: MIT
 *
 * Of a folder that is not there yet, its parent is looked at. It is not made
 * for the look: removing it again could take it from under a service that
 * starts at this moment.
 */
#include "cli/cmd_doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <tailbox.h>

#include "analyzer/timeline_text.h"

#define PROBE_BYTES ((off_t)1 << 20)

static const char *fs_name(long type)
{
	static const struct {
		long type;
		const char *name;
	} names[] = {
		{ TMPFS_MAGIC, "tmpfs" },     { (long)RAMFS_MAGIC, "ramfs" },
		{ EXT4_SUPER_MAGIC, "ext4" }, { XFS_SUPER_MAGIC, "xfs" },
		{ (long)BTRFS_SUPER_MAGIC, "btrfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlayfs" },
		{ NFS_SUPER_MAGIC, "nfs" },   { FUSE_SUPER_MAGIC, "fuse" },
		{ 0x2fc12fc1, "zfs" },        { (long)F2FS_SUPER_MAGIC, "f2fs" },
		{ (long)CIFS_SUPER_MAGIC, "cifs" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	return NULL;
}

static bool is_memory(long type)
{
	return type == TMPFS_MAGIC || type == (long)RAMFS_MAGIC;
}

static void parent_of(const char *path, char *parent, size_t size)
{
	const char *slash = strrchr(path, '/');

	snprintf(parent, size, "%.*s",
	         !slash ? 1 : slash == path ? 1 : (int)(slash - path),
	         slash ? path : ".");
}

void cli__present_part(const char *path, char *at, size_t size)
{
	struct stat st;

	snprintf(at, size, "%s", path);
	while (stat(at, &st) != 0 && errno == ENOENT && strcmp(at, "/") &&
	       strcmp(at, ".")) {
		char up[CLI__PATH_MAX];
		parent_of(at, up, sizeof(up));
		snprintf(at, size, "%s", up);
	}
}

/* --- run folder ----------------------------------------------------------- */

/* Whether a service of this user could make its files in path; false and why
 * not. *is_there: the folder itself. */
static bool can_be_run_folder(const char *path, bool *is_there, char why[256])
{
	char parent[CLI__PATH_MAX];
	struct stat st;

	*is_there = lstat(path, &st) == 0;
	why[0] = '\0';
	if (!*is_there && errno != ENOENT) {
		snprintf(why, 256, "%s", tailbox_strerror(errno));
	} else if (!*is_there) {
		parent_of(path, parent, sizeof(parent));
		if (faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) != 0)
			snprintf(why, 256, "cannot be made: %.150s: %s", parent,
			         tailbox_strerror(errno));
	} else if (S_ISLNK(st.st_mode)) {
		snprintf(why, 256, "is a link");
	} else if (!S_ISDIR(st.st_mode)) {
		snprintf(why, 256, "is no folder");
	} else if (st.st_uid != geteuid()) {
		snprintf(why, 256, "belongs to uid %lu, not to %lu",
		         (unsigned long)st.st_uid, (unsigned long)geteuid());
	} else if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) != 0) {
		snprintf(why, 256, "%s", tailbox_strerror(errno));
	}
	return !why[0];
}

/* The one that a service started from here would take, in its own order. */
static bool choose_run_folder(struct cli__patient *p, bool *is_there,
                              char refused[512])
{
	char why[256];

	refused[0] = '\0';
	for (unsigned i = 0; cli__run_folder(i, p->run_dir,
	                                     sizeof(p->run_dir));
	     i++) {
		size_t len = strlen(refused);
		if (!p->run_dir[0])
			continue;
		p->is_of_unit = i == 1; /* $RUNTIME_DIRECTORY */
		if (can_be_run_folder(p->run_dir, is_there, why))
			return true;
		snprintf(refused + len, 512 - len, "%s%.140s: %.100s",
		         len ? ", " : "", p->run_dir, why);
	}
	p->run_dir[0] = '\0';
	return false;
}

static const char *survives(const struct cli__patient *p, long type)
{
	const char *told = tailbox__tree_text(
	        tailbox__tree_member(p->status, "tape"), "survives");

	if (told)
		return told;
	if (p->is_of_unit)
		return "a killed process; not the end of the service, which "
		       "removes its runtime folder";
	return is_memory(type)
	               ? "a killed process and a restart; not a reboot"
	               : "a killed process, a restart and a reboot";
}

/* Of a service that lives; it goes on writing into it. */
static bool is_tape_removed(const struct cli__patient *p)
{
	struct stat st;

	return p->service && p->service->tape[0] &&
	       stat(p->service->tape, &st) == 0 && st.st_nlink == 0;
}

bool cli__check_run_folder(struct cli__patient *p, struct cli__finding *f)
{
	char refused[512] = "", at[CLI__PATH_MAX], why[64] = "";
	char free_text[TAILBOX__SHOW_ROOM], all[TAILBOX__SHOW_ROOM];
	bool is_there = true;
	struct statvfs room;
	struct statfs fs;
	struct stat st;

	if (p->service && (!cli__is_alive(p->service) || p->is_elsewhere))
		return false;
	if (is_tape_removed(p)) {
		cli__mend(f, "set TAILBOX_DIR to a folder that nobody clears, "
		             "as logind does with RemoveIPC=, and start the "
		             "service again");
		return cli__found(f, CLI__DEGRADED,
		                  "the tape was removed: it is found by the pid "
		                  "only, and goes with the process");
	}
	if (!p->service && !choose_run_folder(p, &is_there, refused))
		return cli__found(f, CLI__FAILED,
		                  "none can be used, services run unrecorded: "
		                  "%s",
		                  refused);
	cli__present_part(p->run_dir, at, sizeof(at));
	if (stat(at, &st) != 0 || statfs(at, &fs) != 0 ||
	    statvfs(at, &room) != 0)
		return cli__found(f, CLI__FAILED, "%s: %s", p->run_dir,
		                  tailbox_strerror(errno));
	const char *name = fs_name((long)fs.f_type);
	if (!name) {
		snprintf(why, sizeof(why), "file system type 0x%lx",
		         (unsigned long)fs.f_type);
		name = why;
	}
	uint64_t avail = (uint64_t)room.f_bavail * room.f_frsize;
	cli__found(f, CLI__HEALTHY,
	           "%.200s, %s, uid %lu, mode %04o, %s, %s of %s free; the "
	           "tape survives %s",
	           p->run_dir, is_there ? "there" : "will be made",
	           (unsigned long)(is_there ? st.st_uid : geteuid()),
	           is_there ? (unsigned)st.st_mode & 07777 : 0700u, name,
	           tailbox__show_bytes(free_text, avail),
	           tailbox__show_bytes(all, (uint64_t)room.f_blocks *
	                                            room.f_frsize),
	           survives(p, (long)fs.f_type));
	size_t len = strlen(f->found);
	if (avail < (uint64_t)PROBE_BYTES && !p->reader) {
		f->health = CLI__FAILED;
		cli__mend(f, "make room in %.200s: a tape takes 1 MiB or more",
		          at);
	} else if (is_there && (st.st_mode & 077)) {
		f->health = CLI__DEGRADED;
		cli__mend(f, "chmod 0700 %.200s", p->run_dir);
	} else if (!is_memory((long)fs.f_type)) {
		f->health = CLI__DEGRADED;
		snprintf(f->found + len, sizeof(f->found) - len,
		         "; not in memory: a worker may wait while the kernel "
		         "writes pages out");
		cli__mend(f, "set TAILBOX_DIR to a folder on tmpfs, as under "
		             "/dev/shm or /run");
	} else if (refused[0]) {
		f->health = CLI__DEGRADED;
		snprintf(f->found + len, sizeof(f->found) - len,
		         "; refused before it: %s", refused);
		cli__mend(f, "correct or unset TAILBOX_DIR");
	}
	return true;
}

/* --- fallocate ------------------------------------------------------------ */

int cli__nameless(const char *folder)
{
	char path[CLI__PATH_MAX];
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd >= 0 ? fd : -errno;
	int n = snprintf(path, sizeof(path), "%s/.doctor-XXXXXX", folder);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

bool cli__check_fallocate(struct cli__patient *p, struct cli__finding *f)
{
	char at[CLI__PATH_MAX], took[TAILBOX__SHOW_ROOM];
	int fd, error;

	if (!p->run_dir[0] || p->is_elsewhere ||
	    (p->service && !cli__is_alive(p->service)))
		return false;
	cli__present_part(p->run_dir, at, sizeof(at));
	fd = cli__nameless(at);
	if (fd < 0 && p->service)
		return false; /* somebody else's: not ours to try */
	if (fd < 0)
		return cli__found(f, CLI__FAILED, "no file can be made in %s: "
		                                  "%s",
		                  at, tailbox_strerror(fd));
	uint64_t begun = cli__doctor_ns();
	error = fallocate(fd, 0, 0, PROBE_BYTES) != 0 ? errno : 0;
	tailbox__show_ns(took, cli__doctor_ns() - begun);
	if (error == 0) {
		cli__found(f, CLI__HEALTHY, "1 MiB taken in %s in %s", at, took);
	} else if (error == EOPNOTSUPP || error == ENOSYS) {
		bool works = posix_fallocate(fd, 0, PROBE_BYTES) == 0;
		cli__found(f, works ? CLI__DEGRADED : CLI__FAILED,
		           "the file system of %s has none: %s", at,
		           works ? "every page of a tape is written instead"
		                 : "and writing it does not work either");
	} else {
		cli__found(f, CLI__FAILED, "1 MiB in %s: %s", at,
		           tailbox_strerror(error));
	}
	close(fd);
	return true;
}
