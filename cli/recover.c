/* cli/recover.c - from a tape that was left behind to an artifact on disk.
 *
 * SPDX-License-Identifier: MIT
 *
 * The order is that of a window's end: the whole artifact is on disk under its
 * name, its folder too, and then the tape goes.
 */
#include "cli/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/load.h"
#include "cli/outfile.h"
#include "core/artifact.h"
#include "core/folder.h"
#include "core/recover.h"

/* --- where ---------------------------------------------------------------- */

/* "DIR" of "DIR/NAME", "." of "NAME"; gives NAME. */
static const char *split(const char *path, char dir[CLI__PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(dir, CLI__PATH_MAX, "%.*s",
	         slash ? (int)(slash - path) + (slash == path) : 1,
	         slash ? path : ".");
	return slash ? slash + 1 : path;
}

/* The artifact folder that belongs to a tape; false: there is none. */
static bool find_folder(const char *dir, char *folder, size_t size)
{
	const char *told = getenv("TAILBOX_ARTIFACTS");
	struct stat st;

	if (told && *told)
		return snprintf(folder, size, "%s", told) < (int)size;
	return snprintf(folder, size, "%s/artifacts", dir) < (int)size &&
	       stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
}

/* --- placing -------------------------------------------------------------- */

static bool sync_folder(const char *path)
{
	char dir[CLI__PATH_MAX];
	int fd, rc;

	split(path, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : fsync(fd);
	if (rc != 0 && (fd < 0 || errno != EINVAL)) {
		cli__say("%s: cannot fsync: %s", dir, tailbox_strerror(errno));
		rc = -1;
	} else {
		rc = 0;
	}
	if (fd >= 0)
		close(fd);
	return rc == 0;
}

/* As a file of the user's: of that name, or of one like it. */
static bool save(struct cli__recovered *r, const char *path, bool replace,
                 bool *is_safe)
{
	struct cli__outfile f;

	if (!cli__outfile_open(&f, path))
		return false;
	int rc = tailbox__artifact_write(r->run, f.fd);
	if (rc < 0) {
		cli__say("%s: cannot write: %s", path, tailbox_strerror(rc));
		cli__outfile_abort(&f);
		return false;
	}
	*is_safe = !f.is_direct;
	if (!cli__outfile_commit(&f, replace) ||
	    (*is_safe && !sync_folder(f.path)))
		return false;
	snprintf(r->artifact, sizeof(r->artifact), "%s", f.path);
	return true;
}

/* The name that it would have in an artifact folder. */
static bool save_here(struct cli__recovered *r, const char *service,
                      bool *is_safe)
{
	const struct tailbox__artifact_key key = {
		TAILBOX__ARTIFACT_CRASH, tailbox__tape_run_second(r->run), 1
	};
	char name[256], file[TAILBOX__FILE_NAME_BYTES];

	tailbox__folder_name(name, service, &key);
	return tailbox__folder_file(file, name, TAILBOX__ARTIFACT_SUFFIX) &&
	       save(r, file, false, is_safe);
}

static bool place(struct cli__recovered *r, const char *folder,
                  const char *service)
{
	struct tailbox__artifact_key key = {
		TAILBOX__ARTIFACT_CRASH, tailbox__tape_run_second(r->run), 0
	};
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	char name[256];

	int rc = tailbox__folder_place_crash(r->run, folder, service, &key,
	                                     name, &err);
	if (rc < 0) {
		cli__say("%s", err.text);
		return false;
	}
	snprintf(r->artifact, sizeof(r->artifact), "%s/%s%s", folder, name,
	         TAILBOX__ARTIFACT_SUFFIX);
	return true;
}

/* --- all of it ------------------------------------------------------------ */

static bool make(struct cli__recovered *r, const char *dir,
                 const struct cli__recover_wish *wish, bool *is_safe)
{
	const char *named =
	        tailbox__run_text(r->run, r->run->meta.service_name, NULL);
	char folder[CLI__PATH_MAX], service[64];

	*is_safe = true;
	if (wish->path)
		return save(r, wish->path, wish->replace, is_safe);
	tailbox__folder_service(service, named);
	return find_folder(dir, folder, sizeof(folder))
	               ? place(r, folder, service)
	               : save_here(r, service, is_safe);
}

/* Why it is left alone. */
static int refuse(const char *tape, int rc, const struct tailbox__error *err)
{
	if (rc == -TAILBOX_ESTATE)
		return cli__fail("%s: is in order: its process closed it; "
		                 "tailbox export --to json keeps what is on it",
		                 tape);
	return cli__fail("%s: %s%s", tape, err->text,
	                 rc == -EBUSY ? "; only a tape that a crash left "
	                                "behind is recovered" : "");
}

static int recover(struct cli__recovered *r, int dirfd, const char *dir,
                   const char *name, const struct cli__recover_wish *wish)
{
	const struct tailbox__tape_run_options o = { .is_crash = true };
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__left_tape t;
	bool is_safe = false;

	int rc = tailbox__left_tape_take(dirfd, name, &t, &err);
	if (rc < 0)
		return refuse(r->tape, rc, &err);
	rc = tailbox__tape_run(t.reader, &o, &r->run, &r->damage, &err);
	if (rc < 0) {
		cli__say("%s: %s; the tape is kept", r->tape, err.text);
	} else {
		cli__tell_damage(r->tape, &r->damage);
		if (!make(r, dir, wish, &is_safe)) {
			rc = -EIO;
			cli__say("%s: is kept", r->tape);
		}
	}
	if (rc == 0 && is_safe && !wish->keep) {
		rc = tailbox__left_tape_remove(&t, dirfd, name);
		r->is_removed = rc == 0;
		if (rc < 0)
			cli__say("%s: cannot remove it: %s", r->tape,
			         tailbox_strerror(rc));
		rc = 0; /* the artifact is there */
	}
	tailbox__left_tape_release(&t);
	return rc < 0 ? CLI__NO : CLI__DONE;
}

int cli__recover_tape(const char *tape, const struct cli__recover_wish *wish,
                      struct cli__recovered *out)
{
	char dir[CLI__PATH_MAX];

	memset(out, 0, sizeof(*out));
	snprintf(out->tape, sizeof(out->tape), "%s", tape);
	const char *name = split(tape, dir);
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return cli__fail("%s: cannot open: %s", dir,
		                 tailbox_strerror(errno));
	int rc = recover(out, dirfd, dir, name, wish);
	close(dirfd);
	if (rc != CLI__DONE)
		cli__recovered_fini(out);
	return rc;
}

void cli__recovered_fini(struct cli__recovered *r)
{
	tailbox__run_destroy(r->run);
	r->run = NULL;
}
