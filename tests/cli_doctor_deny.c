/* tests/cli_doctor_deny.c - run a program in a sandbox that refuses what
 * tailbox would like to have: getsockopt(TCP_INFO) and membarrier(2).
 *
 * SPDX-License-Identifier: MIT
 *
 * usage: cli_doctor_deny [--root DIR] PROGRAM [ARGUMENT...]
 * Exits with 77 where the kernel has no seccomp filters or chroot is not
 * allowed, so that nobody takes that for a result.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH

#define LOAD(field)                                                            \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* The low half of an argument: both machines are little endian. */
#define LOAD_ARG(n) LOAD(args[n])
#define IF(value, yes, no)                                                     \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define GIVE(what) BPF_STMT(BPF_RET | BPF_K, (what))

static int install(void)
{
	struct sock_filter lines[] = {
		LOAD(arch),
		IF(ARCH, 0, 8), /* another one: as it is */
		LOAD(nr),
		IF(SYS_membarrier, 5, 0),
		IF(SYS_getsockopt, 0, 5),
		LOAD_ARG(1),
		IF(IPPROTO_TCP, 0, 3),
		LOAD_ARG(2),
		IF(TCP_INFO, 0, 1),
		GIVE(SECCOMP_RET_ERRNO | EPERM),
		GIVE(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(lines) / sizeof(lines[0]), .filter = lines
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Whether the filter does what it is for, and nothing else. */
static const char *check(void)
{
	struct tcp_info info;
	socklen_t len = sizeof(info), int_len = sizeof(int);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), value;
	const char *wrong = NULL;

	if (fd < 0)
		wrong = "no TCP socket";
	else if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ||
	         errno != EPERM)
		wrong = "TCP_INFO is not refused";
	else if (getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &int_len))
		wrong = "TCP_NODELAY is refused";
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &int_len))
		wrong = "SO_ERROR is refused";
	else if (syscall(SYS_membarrier, 0, 0, 0) >= 0 || errno != EPERM)
		wrong = "membarrier is not refused";
	if (fd >= 0)
		close(fd);
	return wrong;
}

#else

static int install(void)
{
	errno = ENOSYS;
	return -1;
}

static const char *check(void)
{
	return NULL;
}

#endif

int main(int argc, char **argv)
{
	const char *wrong;

	argv++, argc--;
	if (argc > 2 && !strcmp(argv[0], "--root")) {
		if (chroot(argv[1]) != 0 || chdir("/") != 0) {
			perror("chroot");
			return 77;
		}
		argv += 2, argc -= 2;
	}
	if (argc < 1) {
		fputs("usage: cli_doctor_deny [--root DIR] PROGRAM ...\n",
		      stderr);
		return 2;
	}
	if (install() != 0) {
		perror("seccomp");
		return 77;
	}
	wrong = check();
	if (wrong != NULL) {
		fprintf(stderr, "cli_doctor_deny: %s\n", wrong);
		return 3;
	}
	execv(argv[0], argv);
	perror(argv[0]);
	return 4;
}
