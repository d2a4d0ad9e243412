/* cli/cmd_switch.c - `tailbox off` and `tailbox on`: the kill switch.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "analyzer/json_tree.h"
#include "cli/http.h"

enum { ANSWER_MS = 5000 };

static void put(const struct cli__target *t, tailbox__tree *j, bool on)
{
	uint64_t window = tailbox__tree_number(j, "closed_window", 0);
	bool is_changed = tailbox__tree_is_true(j, "changed");
	char word[CLI__PATH_MAX];
	FILE *out = cli__out();

	cli__target_word(t, word, sizeof(word));
	fprintf(out, "%s: recording is %s%s\n", word, on ? "on" : "off",
	        is_changed ? "" : " already");
	if (window)
		fprintf(out, "window %" PRIu64 " is closed, its artifact is "
		             "written\n", window);
	if (!on && is_changed)
		fprintf(out, "next      tailbox on %s\n", word);
}

static int set(const struct cli__command *self, int argc, char **argv, bool on)
{
	bool is_json = false;
	const struct cli__option options[] = {
		{ "json", 0, CLI__FLAG, &is_json, 0, 0 },
		{ NULL, 0, CLI__FLAG, NULL, 0, 0 }
	};
	struct cli__http h = { .to_fd = -1, .is_post = true,
		               .total_ms = ANSWER_MS };
	struct cli__target t;
	int first, rc;

	if (!cli__options(self, argc, argv, options, 0, 1, &first, &rc) ||
	    !cli__target_service(self, first < argc ? argv[first] : NULL, &t,
	                         &rc))
		return rc;
	h.path = on ? "/recorder?on=1" : "/recorder?on=0";
	rc = CLI__NO;
	if (cli__ask(&t, &h)) {
		tailbox__tree *j = tailbox__tree_parse(h.body.at, h.body.len);
		rc = CLI__DONE;
		if (!j)
			rc = cli__fail("%s: the answer is no JSON",
			               cli__target_name(&t));
		else if (is_json)
			fwrite(h.body.at, 1, h.body.len, cli__out());
		else
			put(&t, j, on);
		tailbox__tree_free(j);
	}
	cli__http_fini(&h);
	return rc;
}

int cli__off(const struct cli__command *self, int argc, char **argv)
{
	return set(self, argc, argv, false);
}

int cli__on(const struct cli__command *self, int argc, char **argv)
{
	return set(self, argc, argv, true);
}
