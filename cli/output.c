/* cli/output.c - where results and complaints go.
 *
 * SPDX-License-Identifier: MIT
 *
 * cli__out() is a stream into memory. cli__main() writes it to standard
 * output when the command succeeded and forgets it otherwise, unless the
 * command called cli__put_now().
 */
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "core/alloc.h"
#include "core/utf8.h"

static struct cli__text results;
static FILE *stream;

bool cli__text_add(struct cli__text *t, const char *s, size_t len)
{
	if (t->has_failed || (t->max && len > t->max - t->len)) {
		t->has_failed = true;
		return false;
	}
	if (t->room - t->len <= len) {
		size_t want = t->room + t->room / 2 + len + 64;
		char *grown = tailbox__realloc(t->at, want, 1);
		if (!grown) {
			t->has_failed = true;
			return false;
		}
		t->at = grown;
		t->room = want;
	}
	memcpy(t->at + t->len, s, len);
	t->len += len;
	t->at[t->len] = '\0';
	return true;
}

void cli__text_fini(struct cli__text *t)
{
	tailbox__free(t->at);
	t->at = NULL;
	t->len = t->room = 0;
	t->has_failed = false;
}

static ssize_t to_results(void *cls, const char *s, size_t len)
{
	if (!cli__text_add(cls, s, len)) {
		errno = ENOMEM;
		return -1;
	}
	return (ssize_t)len;
}

FILE *cli__out(void)
{
	if (!stream) {
		cookie_io_functions_t io = { .write = to_results };
		stream = fopencookie(&results, "w", io);
	}
	if (!stream) {
		cli__no_memory();
		_exit(CLI__NO);
	}
	return stream;
}

int cli__write_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s += n;
		len -= (size_t)n;
	}
	return 0;
}

int cli__put_on(int fd)
{
	if (stream && (fflush(stream) || results.has_failed))
		return cli__no_memory();
	int e = cli__write_all(fd, results.at, results.len);
	results.len = 0;
	return e < 0 ? cli__fail("cannot write to standard %s: %s",
	                         fd == STDOUT_FILENO ? "output" : "error",
	                         tailbox_strerror(e))
	             : CLI__DONE;
}

int cli__put_now(void)
{
	return cli__put_on(STDOUT_FILENO);
}

int cli__finish(int rc)
{
	if (rc == CLI__DONE)
		rc = cli__put_now();
	if (stream)
		fclose(stream);
	stream = NULL;
	cli__text_fini(&results);
	return rc;
}

void cli__clean(char *text)
{
	for (char *c = text; *c; c++)
		if (((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t') ||
		    *c == 0x7f)
			*c = '?';
}

/* One line; what a foreign text could do to a terminal is taken out. */
__attribute__((format(printf, 1, 0)))
static void say(const char *fmt, va_list args)
{
	char line[4096];

	vsnprintf(line, sizeof(line), fmt, args);
	cli__clean(line);
	fprintf(stderr, "tailbox: %s\n", line);
}

void cli__say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

int cli__fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	return CLI__NO;
}

int cli__usage(const struct cli__command *self, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	if (self)
		fprintf(stderr,
		        "usage: tailbox %s %s\n"
		        "       tailbox %s --help\n",
		        self->name, self->arguments, self->name);
	else
		fputs("usage: tailbox COMMAND ...\n"
		      "       tailbox --help\n",
		      stderr);
	return CLI__USAGE;
}

int cli__no_memory(void)
{
	return cli__fail("out of memory");
}

int cli__put_json(struct tailbox__json *j)
{
	bool ok = tailbox__json_ok(j);

	if (ok) {
		fwrite(j->buf, 1, j->len, cli__out());
		fputc('\n', cli__out());
	}
	tailbox__json_fini(j);
	return ok ? CLI__DONE : cli__no_memory();
}
