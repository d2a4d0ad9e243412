/* cli/token.c - the bearer token of URL targets.
 *
 * SPDX-License-Identifier: MIT
 *
 * Never on the command line, where every user of the machine reads it in the
 * process list. A token becomes part of a header line, so what could end that
 * line, or was never meant as a token (a key file, a page), is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "cli/http.h"

static char token[CLI__TOKEN_MAX + 1];

/* The text without blanks around it; what is wrong, or NULL. */
static const char *take(const char *text, size_t len)
{
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	while (len && strchr(" \t\r\n", *text)) {
		text++;
		len--;
	}
	if (!len)
		return "no token in it";
	if (len > CLI__TOKEN_MAX)
		return "longer than 512 bytes: no token";
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return "a token has no blanks, control or non-ASCII "
			       "characters";
	memcpy(token, text, len);
	token[len] = '\0';
	return NULL;
}

static const char *take_file(const char *path)
{
	char text[CLI__TOKEN_MAX + 64];
	size_t len = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return tailbox_strerror(errno);
	while (len < sizeof(text) &&
	       (n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	const char *wrong = n < 0 ? tailbox_strerror(errno) : take(text, len);
	close(fd);
	return wrong;
}

bool cli__token_load(int *rc)
{
	const char *text = getenv("TAILBOX_TOKEN");
	const char *wrong = NULL;

	token[0] = '\0';
	if (cli__token_file)
		wrong = take_file(cli__token_file);
	else if (text && *text)
		wrong = take(text, strlen(text));
	if (wrong)
		*rc = cli__fail("%s: %s",
		                cli__token_file ? cli__token_file
		                                : "TAILBOX_TOKEN",
		                wrong);
	return !wrong;
}

const char *cli__token(void)
{
	return token[0] ? token : NULL;
}
