/* cli/cmd_fetch.c - `tailbox fetch`: download an artifact.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/http.h"
#include "cli/load.h"
#include "cli/outfile.h"
#include "cli/output.h"
#include "core/json_put.h"

/* To standard output, but only when all of it came. */
static int print(const struct cli__target *t, const struct cli__artifact *a,
                 bool as_run_json)
{
	char buf[65536];
	FILE *f = tmpfile();
	int rc = 0;
	ssize_t n;

	if (!f)
		return cli__fail("no temporary file: %s",
		                 tailbox_strerror(errno));
	if (!cli__artifact_get(t, a, as_run_json, fileno(f))) {
		fclose(f);
		return CLI__NO;
	}
	lseek(fileno(f), 0, SEEK_SET);
	while (rc == 0 && (n = read(fileno(f), buf, sizeof(buf))) != 0)
		rc = n < 0 ? -errno
		           : cli__write_all(STDOUT_FILENO, buf, (size_t)n);
	fclose(f);
	if (rc < 0)
		return cli__fail("cannot write to standard output: %s",
		                 tailbox_strerror(rc));
	return CLI__DONE;
}

static int put_json(const struct cli__artifact *a, const char *path)
{
	struct tailbox__json j;

	tailbox__json_init(&j, true);
	tailbox__json_begin_object(&j);
	tailbox__json_key(&j, "file");
	tailbox__json_cstr(&j, path);
	tailbox__json_key(&j, "name");
	tailbox__json_cstr(&j, a->name);
	tailbox__json_key(&j, "id");
	if (*a->id)
		tailbox__json_cstr(&j, a->id);
	else
		tailbox__json_null(&j); /* the list does not have it */
	put_num(&j, "requests", a->requests);
	put_num(&j, "artifact_bytes", a->bytes);
	tailbox__json_end_object(&j);
	return cli__put_json(&j);
}

static int save(const struct cli__target *t, const struct cli__artifact *a,
                const char *path, bool as_run_json, bool is_json)
{
	struct cli__outfile f;
	char name[300];

	snprintf(name, sizeof(name), "%s.%s", a->name,
	         as_run_json ? "json" : "tailbox");
	if (!cli__outfile_open(&f, path ? path : name))
		return CLI__NO;
	if (!cli__artifact_get(t, a, as_run_json, f.fd)) {
		cli__outfile_abort(&f);
		return CLI__NO;
	}
	if (!cli__outfile_commit(&f, path != NULL))
		return CLI__NO;
	if (is_json)
		return put_json(a, f.path);
	fprintf(cli__out(), "%s\n", f.path);
	return CLI__DONE;
}

int cli__fetch(const struct cli__command *self, int argc, char **argv)
{
	const char *path = NULL, *to = "native";
	bool is_json = false;
	const struct cli__option options[] = {
		{ "output", 'o', CLI__TEXT, &path, 0, 0 },
		{ "to", 0, CLI__TEXT, &to, 0, 0 },
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__artifact a;
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc))
		return rc;
	if (strcmp(to, "native") && strcmp(to, "json"))
		return cli__usage(self, "--to: \"%s\" is not native or json",
		                  to);
	if (path && !strcmp(path, "-") && is_json)
		return cli__usage(self, "--json and -o - exclude each other");
	if (!cli__target_artifact(self, first < argc ? argv[first] : NULL, &t,
	                          &rc))
		return rc;
	if (!cli__artifact_find(&t, t.artifact, &a))
		return CLI__NO;
	bool as_run_json = !strcmp(to, "json");
	if (path && !strcmp(path, "-"))
		return print(&t, &a, as_run_json);
	return save(&t, &a, path, as_run_json, is_json);
}
