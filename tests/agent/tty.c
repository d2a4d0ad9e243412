/* tests/agent/tty.c - a command on a terminal, and Ctrl-C.
 *
 * SPDX-License-Identifier: MIT
 *
 *     tty COMMAND [ARGUMENT...]
 *
 * Types Ctrl-C when the command has said "port ", and sends it SIGUSR1 when it
 * has said "int 1". Prints what it says; ends as it does, or with 128 + the
 * signal. After a minute it dies itself. Built by tests/cli_run.sh.
 */
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	bool is_interrupted = false, is_told = false;
	char said[16384];
	size_t n = 0;
	int terminal, status;
	const pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

	if (pid < 0 || argc < 2)
		return 99;
	if (pid == 0) {
		/* Ignored in what a shell started in the background. */
		signal(SIGINT, SIG_DFL);
		execv(argv[1], argv + 1);
		_exit(99);
	}
	alarm(60);
	for (ssize_t k; n < sizeof(said) - 1 &&
	                (k = read(terminal, said + n, sizeof(said) - 1 - n)) > 0;) {
		n += (size_t)k;
		said[n] = '\0';
		if (!is_interrupted && strstr(said, "port "))
			is_interrupted = write(terminal, "\003", 1) == 1;
		if (!is_told && strstr(said, "int 1"))
			is_told = kill(pid, SIGUSR1) == 0;
	}
	fwrite(said, 1, n, stdout);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status)
	                         : 128 + WTERMSIG(status);
}
