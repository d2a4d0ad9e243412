/* tests/test_agent.c - the parts of the agent and of `tailbox run` that are
 * functions of their input: the edit of LD_PRELOAD, the look at a program; and
 * the line on standard error.
 *
 * SPDX-License-Identifier: MIT
 *
 * Programs are this one, copied and changed byte by byte. What becomes of real
 * ones: tests/cli_run.sh.
 */
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "cli/run.h"

/* --- LD_PRELOAD ----------------------------------------------------------- */

static void gives(const char *list, const char *what, unsigned n,
                  const char *left, bool is_empty)
{
	char *text = strdup(list);
	bool empty = !is_empty;

	ck_assert_uint_eq(tailbox__take_out(text, what, &empty), n);
	ck_assert_str_eq(text, left);
	ck_assert_msg(empty == is_empty, "\"%s\" less \"%s\"", list, what);
	free(text);
}

START_TEST(an_entry_goes_with_one_separator)
{
	gives("/a/x.so", "/a/x.so", 1, "", true);
	gives("/a/x.so:/b.so", "/a/x.so", 1, "/b.so", false);
	gives("/b.so:/a/x.so", "/a/x.so", 1, "/b.so", false);
	gives("/b.so /a/x.so /c.so", "/a/x.so", 1, "/b.so /c.so", false);
	gives("/b.so:/a/x.so:", "/a/x.so", 1, "/b.so:", false);
	/* What was set and empty before we came is so again. */
	gives("/a/x.so:", "/a/x.so", 1, "", false);
}
END_TEST

START_TEST(other_entries_stay_as_they_are)
{
	gives("", "/a/x.so", 0, "", false);
	gives("/a/x.so.1", "/a/x.so", 0, "/a/x.so.1", false);
	gives("/b/a/x.so", "/a/x.so", 0, "/b/a/x.so", false);
	gives("x.so", "/a/x.so", 0, "x.so", false);
	gives("/a/x.so", "x.so", 0, "/a/x.so", false);
	gives("/a/x.so", "", 0, "/a/x.so", false);
	gives("::/b.so: ", "/a/x.so", 0, "::/b.so: ", false);
	gives("/a/x.so.1:/a/x.so", "/a/x.so", 1, "/a/x.so.1", false);
	gives("/b/a/x.so:/a/x.so:/c.so", "/a/x.so", 1, "/b/a/x.so:/c.so",
	      false);
}
END_TEST

START_TEST(all_that_are_the_same_go)
{
	gives("/a/x.so:/a/x.so", "/a/x.so", 2, "", true);
	gives("/a/x.so:/b.so:/a/x.so", "/a/x.so", 2, "/b.so", false);
	gives("/a/x.so::/a/x.so", "/a/x.so", 2, "", false);
}
END_TEST

START_TEST(a_run_of_entries_goes_as_one)
{
	gives("libasan.so.8:/a/x.so", "libasan.so.8:/a/x.so", 1, "", true);
	gives("libasan.so.8:/a/x.so:/b.so", "libasan.so.8:/a/x.so", 1,
	      "/b.so", false);
	gives("libasan.so.8:/b.so:/a/x.so", "libasan.so.8:/a/x.so", 0,
	      "libasan.so.8:/b.so:/a/x.so", false);
}
END_TEST

/* --- the line on standard error ------------------------------------------- */

/* Nothing of check while `fd` is standard error, or the limit is low: it
 * writes as well. */
static bool tell_to(int fd, rlim_t most)
{
	const int real = dup(STDERR_FILENO);
	struct rlimit limit, low;
	bool is_told;

	getrlimit(RLIMIT_FSIZE, &limit);
	low = (struct rlimit){ most, limit.rlim_max };
	dup2(fd, STDERR_FILENO);
	tailbox__tell_init();
	setrlimit(RLIMIT_FSIZE, &low);
	is_told = tailbox__tell("%s", "a line");
	setrlimit(RLIMIT_FSIZE, &limit);
	dup2(real, STDERR_FILENO);
	close(real);
	return is_told;
}

static bool is_pending(int number)
{
	sigset_t set;

	ck_assert_int_eq(sigpending(&set), 0);
	return sigismember(&set, number) == 1;
}

START_TEST(nobody_reads_the_line)
{
	char text[32];
	sigset_t set;
	int fd[2];

	signal(SIGPIPE, SIG_DFL);
	ck_assert_int_eq(pipe(fd), 0);
	ck_assert(tell_to(fd[1], RLIM_INFINITY));
	ck_assert_int_eq(read(fd[0], text, sizeof(text)), 16);
	ck_assert_int_eq(memcmp(text, "tailbox: a line\n", 16), 0);
	close(fd[0]);
	ck_assert(!tell_to(fd[1], RLIM_INFINITY));
	ck_assert(!is_pending(SIGPIPE));
	/* One that the program has blocked and not taken yet stays. */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	ck_assert(!tell_to(fd[1], RLIM_INFINITY));
	ck_assert(!is_pending(SIGPIPE));
	ck_assert_int_eq(raise(SIGPIPE), 0);
	ck_assert(!tell_to(fd[1], RLIM_INFINITY));
	ck_assert(is_pending(SIGPIPE));
	close(fd[1]);
}
END_TEST

START_TEST(the_line_ends_no_program_over_a_limit)
{
	const int fd = memfd_create("log", MFD_CLOEXEC);

	signal(SIGXFSZ, SIG_DFL);
	ck_assert_int_ge(fd, 0);
	ck_assert(!tell_to(fd, 0));
	ck_assert(!is_pending(SIGXFSZ));
	ck_assert(tell_to(fd, RLIM_INFINITY));
	close(fd);
}
END_TEST

/* --- the look at a program ------------------------------------------------ */

static char dir[] = "/tmp/test_agent.XXXXXX", file[64];
static char *self;
static size_t self_size;

static void set_up(void)
{
	struct stat st;
	int fd = open("/proc/self/exe", O_RDONLY);

	snprintf(dir, sizeof(dir), "/tmp/test_agent.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/program", dir);
	ck_assert_int_eq(fstat(fd, &st), 0);
	self_size = (size_t)st.st_size;
	self = malloc(self_size);
	ck_assert_int_eq(read(fd, self, self_size), (ssize_t)self_size);
	close(fd);
}

static void clean_up(void)
{
	unlink(file);
	rmdir(dir);
	free(self);
}

static struct cli__run_file look(size_t size)
{
	struct cli__run_file got;
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	ck_assert_int_eq(write(fd, self, size), (ssize_t)size);
	close(fd);
	cli__run_look(file, &got);
	return got;
}

static void says(const char *text)
{
	const struct cli__run_file got = look(self_size);

	ck_assert_msg(strstr(got.why_not, text) != NULL, "\"%s\", not \"%s\"",
	              got.why_not, text);
}

static ElfW(Ehdr) *elf(void)
{
	return (void *)self;
}

static ElfW(Phdr) *header(uint32_t type)
{
	ElfW(Phdr) *p = (void *)(self + elf()->e_phoff);

	for (unsigned i = 0; i < elf()->e_phnum; i++)
		if (p[i].p_type == type)
			return &p[i];
	ck_abort_msg("no such header");
}

/* What has to be loaded first: gcc's sanitizers, which are libraries. */
#if defined(__clang__)
static const char our_first[] = "";
#elif defined(__SANITIZE_THREAD__)
static const char our_first[] = "libtsan.so";
#elif defined(__SANITIZE_ADDRESS__)
static const char our_first[] = "libasan.so";
#else
static const char our_first[] = "";
#endif

START_TEST(a_program_like_us_has_nothing_against_it)
{
	const struct cli__run_file got = look(self_size);

	ck_assert_str_eq(got.why_not, "");
	if (our_first[0] == '\0')
		ck_assert_str_eq(got.first, "");
	ck_assert_int_eq(strncmp(got.first, our_first, strlen(our_first)), 0);
	ck_assert(got.needs_mhd);
	ck_assert(!got.is_static_mhd);
	ck_assert(!got.is_script);
}
END_TEST

START_TEST(without_a_loader_it_is_static)
{
	header(PT_INTERP)->p_type = PT_NULL;
	says("it is linked statically");
}
END_TEST

START_TEST(with_another_loader_it_has_another_libc)
{
	memcpy(self + header(PT_INTERP)->p_offset, "/lib/ld-m.so.1", 15);
	says("another C library (/lib/ld-m.so.1;");
}
END_TEST

START_TEST(for_another_machine_it_is_not_ours)
{
	elf()->e_machine ^= 1;
	says("another machine");
	elf()->e_machine ^= 1;
	elf()->e_ident[EI_CLASS] ^= 3;
	says("another machine");
}
END_TEST

/* The name of a library that is needed, in place. */
static void rename_mhd(const char *to)
{
	char *at = memmem(self, self_size, "libmicrohttpd.so.", 17);

	ck_assert_ptr_nonnull(at);
	ck_assert_uint_lt(strlen(to), 19);
	memcpy(at, to, strlen(to) + 1);
}

START_TEST(a_sanitizer_goes_first)
{
	struct cli__run_file got;

	rename_mhd("libasan.so.8");
	got = look(self_size);
	ck_assert_str_eq(got.why_not, "");
	ck_assert_str_eq(got.first, "libasan.so.8");
	ck_assert(!got.needs_mhd);
}
END_TEST

START_TEST(a_library_inside_is_told_by_its_words)
{
	char words[64], *at;

	rename_mhd("libm.so.6");
	/* Who looks for the words has them, and so has this program. */
	snprintf(words, sizeof(words), "Fatal error in %s libmicrohttpd", "GNU");
	while ((at = memmem(self, self_size, words, strlen(words))) != NULL)
		*at = 'f';
	ck_assert(!look(self_size).is_static_mhd);
	/* Where nothing of ours looks: the section headers, at the end. */
	memcpy(self + self_size - strlen(words), words, strlen(words));
	ck_assert(look(self_size).is_static_mhd);
}
END_TEST

START_TEST(scripts_and_what_is_no_program)
{
	struct cli__run_file got;

	memcpy(self, "#!/bin/sh\n", 10);
	got = look(10);
	ck_assert(got.is_script);
	ck_assert_str_eq(got.why_not, "");
	got = look(1);
	ck_assert(!got.is_script);
	got = look(0);
	ck_assert_str_eq(got.why_not, "");
	cli__run_look("/nonexistent", &got);
	ck_assert_str_eq(got.why_not, "");
	cli__run_look("/", &got);
	ck_assert_str_eq(got.why_not, "");
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	cli__run_look(file, &got);
	ck_assert_str_eq(got.why_not, "");
}
END_TEST

/* Cut anywhere in its headers, and with any byte of them another: it says
 * what it says, and reads nothing that is not there. */
START_TEST(a_file_that_lies_is_survived)
{
	const size_t headers =
	        elf()->e_phoff + elf()->e_phnum * sizeof(ElfW(Phdr));
	const ElfW(Phdr) *d = header(PT_DYNAMIC);
	struct cli__run_file got;
	unsigned seed = 20261129;

	for (size_t n = 0; n <= headers; n++)
		look(n);
	look(self_size);
	const int fd = open(file, O_WRONLY);
	for (int i = 0; i < 1000; i++) {
		const size_t at =
		        i % 2 ? (size_t)rand_r(&seed) % headers
		              : d->p_offset +
		                        (size_t)rand_r(&seed) % d->p_filesz;
		const char lie = (char)rand_r(&seed);
		ck_assert_int_eq(pwrite(fd, &lie, 1, (off_t)at), 1);
		cli__run_look(file, &got);
		ck_assert_int_eq(pwrite(fd, &self[at], 1, (off_t)at), 1);
	}
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent");
	TCase *list = tcase_create("list"), *program = tcase_create("program");
	TCase *line = tcase_create("line");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(list, an_entry_goes_with_one_separator);
	tcase_add_test(list, other_entries_stay_as_they_are);
	tcase_add_test(list, all_that_are_the_same_go);
	tcase_add_test(list, a_run_of_entries_goes_as_one);
	suite_add_tcase(s, list);
	tcase_add_test(line, nobody_reads_the_line);
	tcase_add_test(line, the_line_ends_no_program_over_a_limit);
	suite_add_tcase(s, line);
	tcase_add_checked_fixture(program, set_up, clean_up);
	tcase_add_test(program, a_program_like_us_has_nothing_against_it);
	tcase_add_test(program, without_a_loader_it_is_static);
	tcase_add_test(program, with_another_loader_it_has_another_libc);
	tcase_add_test(program, for_another_machine_it_is_not_ours);
	tcase_add_test(program, a_sanitizer_goes_first);
	tcase_add_test(program, a_library_inside_is_told_by_its_words);
	tcase_add_test(program, scripts_and_what_is_no_program);
	tcase_add_test(program, a_file_that_lies_is_survived);
	suite_add_tcase(s, program);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
