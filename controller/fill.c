/* controller/fill.c - how fast the tape fills, kept for the next start.
 *
 * SPDX-License-Identifier: MIT
 *
 * [tape] history is a time, a tape has bytes, and how they go together is known
 * only once a service has run. So the run tells the next one: .SERVICE.fill in
 * the artifact folder has the bytes a second of its busiest 10 s. The busiest,
 * because what happens then is what one wants to look back on.
 *
 * It is written when the figure has changed by an eighth, some dozen times in
 * the life of a process, and written over in place; so it is there after a
 * SIGKILL as well, and nothing is done at the end. Until a run has lasted ten
 * minutes it only raises what it found: a restart in a quiet hour is not to
 * forget the busy ones. It is kept without a wish for a history, too: the first
 * start with one then knows already.
 */
#include "controller/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/folder.h"
#include "core/recorder.h"
#include "core/tailbox.h"

#define SPAN_MIN_MS 9000u /* of the rates' 10 seconds */
#define YOUNG_NS UINT64_C(600000000000)

enum { LINE_BYTES = 21 };
/* Bytes a second; more is no measure, and sums with it would turn over. */
#define MOST (UINT64_MAX / 4)

static int open_file(int dirfd, const char *service, int flags)
{
	char file[TAILBOX__FILE_NAME_BYTES];

	snprintf(file, sizeof(file), ".%s.fill", service);
	/* Not to follow a link or wait on a FIFO that somebody put there. */
	return openat(dirfd, file,
	              flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

uint64_t tailbox__fill_read(const char *artifact_dir, const char *service)
{
	const int dirfd =
	        open(artifact_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64], text[LINE_BYTES + 1], end;
	uint64_t fill = 0;

	if (dirfd < 0)
		return 0;
	tailbox__folder_service(name, service);
	const int fd = open_file(dirfd, name, O_RDONLY);
	close(dirfd);
	if (fd < 0)
		return 0;
	const ssize_t n = pread(fd, text, LINE_BYTES, 0);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* What we would not have written is nobody's measure. */
	if (n != LINE_BYTES || strspn(text, "0123456789") != LINE_BYTES - 1 ||
	    sscanf(text, "%20" SCNu64 "%c", &fill, &end) != 2 ||
	    end != '\n' || fill > MOST)
		return 0;
	return fill;
}

static int keep(uint64_t fill)
{
	const struct tailbox__controller *c = &tailbox__c;
	char text[LINE_BYTES + 1];
	int ret = 0;

	/* The kernel says it with a signal that ends the service. */
	if (tailbox__fd_limit() < LINE_BYTES)
		return -EFBIG;
	const int dirfd = tailbox__folder_open(c->config.artifact_dir, NULL);
	if (dirfd < 0)
		return dirfd;
	const int fd = open_file(dirfd, c->service, O_WRONLY | O_CREAT);
	if (fd < 0)
		ret = -errno;
	close(dirfd);
	if (fd < 0)
		return ret;
	snprintf(text, sizeof(text), "%020" PRIu64 "\n", fill);
	const ssize_t n = pwrite(fd, text, LINE_BYTES, 0);
	if (n != LINE_BYTES)
		ret = n < 0 ? -errno : -ENOSPC;
	close(fd);
	return ret;
}

void tailbox__fill_open(uint64_t before)
{
	tailbox__c.fill = (struct tailbox__fill){
		.before = before,
		.kept = before,
		.start_ns = tailbox__mono_ns()
	};
}

/* Of the last 10 s, as bytes of the whole tape: its tables grow with it. */
static uint64_t present(uint64_t now_ns)
{
	const struct tailbox__tape_header *h = tailbox__recorder.tape.header;
	uint64_t span_ms;
	const uint64_t taken =
	        tailbox__rates_taken(&tailbox__c.rates, now_ns,
	                             TAILBOX__GET(h->next_ticket), &span_ms);

	if (span_ms < SPAN_MIN_MS)
		return 0;
	return (uint64_t)((unsigned __int128)taken * h->file_bytes * 1000 /
	                  h->blocks_max / span_ms);
}

/* What is to be kept now; 0 = what is kept will do. With lock held. */
static uint64_t due(struct tailbox__fill *f, uint64_t now_ns)
{
	const uint64_t now = present(now_ns);

	if (now > f->busiest)
		f->busiest = now;
	uint64_t fill = f->busiest;
	if (now_ns - f->start_ns < YOUNG_NS && f->before > fill)
		fill = f->before;
	const uint64_t far = f->kept / 8;
	return fill > f->kept + far || fill + far < f->kept ? fill : 0;
}

void tailbox__fill_note(uint64_t now_ns)
{
	struct tailbox__fill *f = &tailbox__c.fill;

	tailbox__lock();
	const uint64_t fill = due(f, now_ns);
	const int before = f->error;
	tailbox__unlock();
	if (!fill)
		return;
	const int ret = keep(fill);
	if (ret < 0 && ret != before)
		tailbox__log("how fast the tape fills is not kept for the next "
		             "start: %s", tailbox_strerror(ret));
	tailbox__lock();
	f->error = ret;
	if (ret == 0)
		f->kept = fill;
	tailbox__unlock();
}
