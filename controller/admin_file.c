/* controller/admin_file.c - a file sent by a thread that must not wait for a
 * disk.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker of the application sends what a job (admin_mount.c) has opened. So
 * the job reads the whole part once before, which leaves it in the kernel's
 * memory; the worker's reads then copy. Under pressure some of it may be gone
 * again by then, and a read waits: that much is left to the kernel.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "controller/admin_internal.h"
#include "core/alloc.h"

#define BLOCK_BYTES 65536u

struct file {
	int fd;
	uint64_t first, count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned files; /* that are being sent */

static bool take_place(void)
{
	bool is_free;

	pthread_mutex_lock(&lock);
	is_free = files < TAILBOX__ADMIN_TRANSFERS_MAX;
	files += is_free;
	pthread_mutex_unlock(&lock);
	return is_free;
}

static void file_free(void *cls)
{
	struct file *f = cls;

	close(f->fd);
	tailbox__free(f);
	pthread_mutex_lock(&lock);
	files--;
	pthread_mutex_unlock(&lock);
}

static ssize_t file_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	const struct file *f = cls;
	ssize_t n;

	if (pos >= f->count)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (max > f->count - pos)
		max = (size_t)(f->count - pos);
	do
		n = pread(f->fd, buf, max, (off_t)(f->first + pos));
	while (n < 0 && errno == EINTR);
	/* Shorter than it was: not to be told from a whole one otherwise. */
	return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static int warm(const struct file *f)
{
	char *buf = tailbox__alloc(BLOCK_BYTES, 1);
	ssize_t n = 0;

	if (buf == NULL)
		return -ENOMEM;
	for (uint64_t at = 0; n >= 0 && at < f->count; at += BLOCK_BYTES)
		n = file_read((void *)f, at, buf, BLOCK_BYTES);
	tailbox__free(buf);
	return n < 0 ? -EIO : 0;
}

int tailbox__admin_file(int fd, uint64_t first, uint64_t count,
                        struct MHD_Response **out)
{
	struct file *f;
	int rc;

	*out = NULL;
	if (!take_place()) {
		close(fd);
		return -EBUSY;
	}
	f = tailbox__alloc(1, sizeof(*f));
	if (f == NULL) {
		close(fd);
		pthread_mutex_lock(&lock);
		files--;
		pthread_mutex_unlock(&lock);
		return -ENOMEM;
	}
	*f = (struct file){ fd, first, count };
	rc = warm(f);
	if (rc == 0)
		*out = MHD_create_response_from_callback(count, BLOCK_BYTES,
		                                         file_read, f,
		                                         file_free);
	if (*out == NULL) {
		file_free(f);
		return rc != 0 ? rc : -ENOMEM;
	}
	return 0;
}

void tailbox__admin_file_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	files = 0;
}
