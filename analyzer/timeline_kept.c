/* analyzer/timeline_kept.c - kept requests: apart from those of the run.
 *
 * SPDX-License-Identifier: MIT
 *
 * They are of another time, so they are in no figure of the page. A list of
 * the newest, and a waterfall of the one that is asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/timeline_model.h"
#include "analyzer/timeline_text.h"

enum { SHOWN = 10 };

size_t tailbox__tl_kept_count(const struct tailbox__run *run)
{
	return run->kept ? run->kept->requests.count : 0;
}

struct tailbox__run tailbox__tl_kept_view(const struct tailbox__run *run)
{
	struct tailbox__run view = *run->kept;

	view.meta = run->meta;
	return view;
}

static void put_row(const struct tailbox__run *run,
                    const struct tailbox__run_request *r, FILE *out)
{
	char time[TAILBOX__SHOW_ROOM];
	size_t len;

	fprintf(out, "%9s  ", tailbox__show_us(time, r->latency_us));
	const char *text = tailbox__run_text(run, r->route, &len);
	tailbox__show_padded(out, text, len, 20);
	text = tailbox__run_text(run, r->outcome, &len);
	fputs("  ", out);
	tailbox__show_padded(out, text, len, 9);
	fprintf(out, " %s", tailbox__show_utc(time, r->end_ms));
	if (r->ext && r->ext <= run->ext.count)
		fprintf(out, "  %" PRIu64, run->ext.items[r->ext - 1].number);
	fputc('\n', out);
}

/* Newest first: they come in the order of their ends. */
void tailbox__tl_kept(const struct tailbox__run *run, FILE *out)
{
	const size_t n = tailbox__tl_kept_count(run);

	if (!n)
		return;
	fprintf(out, "\nkept from before, in no figure above: %zu slow, failed "
	             "or cancelled%s\n",
	        n, n > SHOWN ? ", the last:" : "");
	fprintf(out, "%9s  %-20s  %-9s %-19s  %s\n", "took", "route",
	        "outcome", "ended (UTC)", "--request");
	for (size_t i = 0; i < n && i < SHOWN; i++)
		put_row(run->kept, &run->kept->requests.items[n - 1 - i], out);
}

int tailbox__tl_summarize_any(const struct tailbox__run *run,
                              const struct tailbox__timeline_options *o,
                              struct tailbox__tl_summary *out,
                              struct tailbox__run *kept,
                              const struct tailbox__run **of,
                              struct tailbox__error *err)
{
	struct tailbox__error why = TAILBOX__ERROR_INIT;

	*of = run;
	int rc = tailbox__tl_summarize(run, o, out, &why);
	if (rc == -ENOENT && o->request && tailbox__tl_kept_count(run)) {
		*kept = tailbox__tl_kept_view(run);
		*of = kept;
		rc = tailbox__tl_summarize(kept, o, out, NULL);
	}
	/* In neither: what the run said. */
	if (rc < 0)
		tailbox__fail(err, rc, "%s",
		              rc == -ENOENT ? why.text : "out of memory");
	return rc;
}
