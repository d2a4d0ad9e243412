/* controller/admin_token.c - read and compare the token, keep sessions.
 *
 * SPDX-License-Identifier: MIT
 *
 * Comparing goes over all TAILBOX__TOKEN_MAX bytes of two padded buffers, so
 * that neither the place of the first wrong byte nor the length of the token
 * can be had from a clock. The secret is read through a volatile pointer: a
 * compiler that sees that the result is known early may otherwise leave.
 *
 * Sessions are random numbers of 256 bits and are compared with each in turn
 * in the same manner. They live in memory only: a restart ends them.
 */
#include "controller/admin_token.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tailbox.h>

#include "core/fd.h"

#define FILE_MAX 4096u

static bool equal(const void *secret, const void *given, size_t len)
{
	const volatile unsigned char *a = secret;
	const unsigned char *b = given;
	unsigned differs = 0;

	for (size_t i = 0; i < len; i++)
		differs |= (unsigned)(a[i] ^ b[i]);
	return differs == 0;
}

bool tailbox__token_is(const struct tailbox__token *t, const char *given,
                       size_t len)
{
	unsigned char padded[TAILBOX__TOKEN_MAX] = { 0 };
	/* Of equal bytes but other length: a token with zeros in it, which
	 * there is none of; looked at all the same. */
	bool is_length = len == t->len, is_same;

	memcpy(padded, given, len < sizeof(padded) ? len : sizeof(padded));
	is_same = equal(t->bytes, padded, sizeof(padded));
	explicit_bzero(padded, sizeof(padded));
	return (is_same & is_length & (t->len != 0)) != 0;
}

/* --- reading ----------------------------------------------------------- */

static int take(const char *text, size_t len, const char *what,
                struct tailbox__token *out, struct tailbox__error *err)
{
	if (len < TAILBOX__TOKEN_MIN || len > TAILBOX__TOKEN_MAX)
		return tailbox__fail(err, -EINVAL,
		                     "the token in %s has %zu bytes, not %u to "
		                     "%u",
		                     what, len, TAILBOX__TOKEN_MIN,
		                     TAILBOX__TOKEN_MAX);
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return tailbox__fail(err, -EINVAL,
			                     "byte %zu of the token in %s is "
			                     "not visible ASCII",
			                     i + 1, what);
	memcpy(out->bytes, text, len);
	out->len = (uint32_t)len;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int check_file(int fd, const char *path, struct tailbox__error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return tailbox__fail(err, -errno, "%.150s: %s", path,
		                     tailbox_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return tailbox__fail(err, -EINVAL,
		                     "%.150s is not a regular file", path);
	if ((st.st_mode & 077) != 0)
		return tailbox__fail(err, -EPERM,
		                     "%.150s has mode %04o: others can reach "
		                     "it; chmod 600",
		                     path, (unsigned)st.st_mode & 07777);
	return 0;
}

static int read_file(const char *path, struct tailbox__token *out,
                     struct tailbox__error *err)
{
	char text[FILE_MAX + 1], *from = text;
	int rc, fd;
	long n;

	/* A pipe without a writer would wait for one. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return tailbox__fail(err, -errno, "token_file %.150s: %s", path,
		                     tailbox_strerror(errno));
	rc = check_file(fd, path, err);
	n = rc == 0 ? tailbox__fd_read(fd, text, sizeof(text)) : 0;
	close(fd);
	if (rc != 0)
		return rc;
	if (n < 0)
		return tailbox__fail(err, (int)n, "token_file %.150s: %s", path,
		                     tailbox_strerror((int)n));
	for (; n > 0 && is_space(*from); n--)
		from++;
	while (n > 0 && is_space(from[n - 1]))
		n--;
	rc = take(from, (size_t)n, "token_file", out, err);
	explicit_bzero(text, sizeof(text));
	return rc;
}

int tailbox__token_read(const struct tailbox__config_admin *c,
                        struct tailbox__token *out, struct tailbox__error *err)
{
	memset(out, 0, sizeof(*out));
	if (c->token[0] != '\0' && c->token_file[0] != '\0')
		return tailbox__fail(err, -EINVAL,
		                     "both token and token_file are given: "
		                     "leave one of them");
	if (c->token[0] != '\0')
		return take(c->token, strlen(c->token), "the settings", out,
		            err);
	if (c->token_file[0] != '\0')
		return read_file(c->token_file, out, err);
	return 0;
}

/* --- sessions ---------------------------------------------------------- */

struct session {
	uint64_t until_ns; /* 0 = none */
	char text[TAILBOX__SESSION_TEXT];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session sessions[TAILBOX__SESSIONS_MAX];

/* All of them live as long, so the one that ends first is the oldest. */
static struct session *oldest(void)
{
	struct session *s = sessions;

	for (size_t i = 1; i < TAILBOX__SESSIONS_MAX; i++)
		if (sessions[i].until_ns < s->until_ns)
			s = &sessions[i];
	return s;
}

int tailbox__session_make(char text[TAILBOX__SESSION_TEXT + 1], uint64_t now_ns)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char key[TAILBOX__SESSION_BYTES];
	struct session *s;
	ssize_t n = getrandom(key, sizeof(key), GRND_NONBLOCK);

	if (n != (ssize_t)sizeof(key))
		return n < 0 ? -errno : -EAGAIN;
	for (size_t i = 0; i < sizeof(key); i++) {
		text[2 * i] = digits[key[i] >> 4];
		text[2 * i + 1] = digits[key[i] & 15];
	}
	text[TAILBOX__SESSION_TEXT] = '\0';
	pthread_mutex_lock(&lock);
	s = oldest();
	s->until_ns = now_ns + TAILBOX__SESSION_S * UINT64_C(1000000000);
	memcpy(s->text, text, sizeof(s->text));
	pthread_mutex_unlock(&lock);
	return 0;
}

/* Call with the lock. All are looked at, whichever it is. */
static struct session *find(const char *text)
{
	struct session *found = NULL;

	if (strlen(text) != TAILBOX__SESSION_TEXT)
		return NULL;
	for (size_t i = 0; i < TAILBOX__SESSIONS_MAX; i++)
		if (equal(sessions[i].text, text, TAILBOX__SESSION_TEXT))
			found = &sessions[i];
	return found;
}

bool tailbox__session_is(const char *text, uint64_t now_ns)
{
	const struct session *s;
	bool is;

	pthread_mutex_lock(&lock);
	s = find(text);
	is = s != NULL && now_ns < s->until_ns;
	pthread_mutex_unlock(&lock);
	return is;
}

void tailbox__session_end(const char *text)
{
	struct session *s;

	pthread_mutex_lock(&lock);
	s = find(text);
	if (s != NULL)
		memset(s, 0, sizeof(*s));
	pthread_mutex_unlock(&lock);
}

void tailbox__sessions_clear(void)
{
	pthread_mutex_lock(&lock);
	memset(sessions, 0, sizeof(sessions));
	pthread_mutex_unlock(&lock);
}

void tailbox__sessions_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	memset(sessions, 0, sizeof(sessions));
}
