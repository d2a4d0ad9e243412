/* tests/test_symbols.c - functions by address, build id, and what else may
 * stand in a file; and what a run's stacks say of a route.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/symbols.h"
#include "core/alloc.h"
#include "core/build_id.h"
#include "tests/sample_runs.h"

static struct tailbox__symbols symbols;
static char folder[40], file[80];

void symbols_here(void);
__attribute__((noinline)) void symbols_here(void)
{
	__asm__ volatile("");
}

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tailbox-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/file", folder);
}

static void teardown(void)
{
	tailbox__symbols_fini(&symbols);
	unlink(file);
	rmdir(folder);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}

/* The program: where it lies, its path and its build id. */
static struct {
	char path[4096], build_id[TAILBOX__BUILD_ID_ROOM];
	uintptr_t base;
} self;

static int look(struct dl_phdr_info *m, size_t bytes, void *cls)
{
	(void)bytes, (void)cls;
	self.base = m->dlpi_addr;
	for (int i = 0; i < m->dlpi_phnum && !self.build_id[0]; i++)
		if (m->dlpi_phdr[i].p_type == PT_NOTE)
			tailbox__build_id(
			        (const unsigned char *)(m->dlpi_addr +
			                                m->dlpi_phdr[i].p_vaddr),
			        m->dlpi_phdr[i].p_memsz, self.build_id);
	return 1; /* the first one is the program */
}

static void find_self(void)
{
	const ssize_t n =
	        readlink("/proc/self/exe", self.path, sizeof(self.path) - 1);

	ck_assert_int_gt(n, 0);
	self.path[n] = '\0';
	dl_iterate_phdr(look, NULL);
	ck_assert_uint_gt(strlen(self.build_id), 8);
}

static uint64_t here(void)
{
	return (uintptr_t)symbols_here - self.base;
}

static const char *find(const char *path, const char *build_id,
                        uint64_t address)
{
	uint64_t offset = 4711;

	return tailbox__symbols_find(&symbols, path, build_id, address,
	                             &offset);
}

START_TEST(a_function_is_found_by_its_addresses)
{
	uint64_t offset = 4711;

	find_self();
	ck_assert_str_eq(tailbox__symbols_find(&symbols, self.path,
	                                       self.build_id, here(), &offset),
	                 "symbols_here");
	ck_assert_uint_eq(offset, 0);
	/* The byte behind a call that was the last: still that function. */
	const char *before = find(self.path, self.build_id, here() - 1);
	ck_assert(before == NULL || strcmp(before, "symbols_here") != 0);
	ck_assert_str_eq(tailbox__symbols_frame(&symbols, self.path,
	                                        self.build_id, here() + 1,
	                                        true, &offset),
	                 "symbols_here");
	ck_assert_uint_eq(offset, 1);
	const char *of_return =
	        tailbox__symbols_frame(&symbols, self.path, self.build_id,
	                               here(), true, &offset);
	ck_assert(of_return == NULL || strcmp(of_return, "symbols_here") != 0);
	ck_assert_ptr_null(find(self.path, self.build_id, 0));
	ck_assert_ptr_null(find(self.path, self.build_id, UINT64_MAX));
}
END_TEST

START_TEST(another_build_or_another_place_gives_nothing)
{
	char other[TAILBOX__BUILD_ID_ROOM];

	find_self();
	snprintf(other, sizeof(other), "%s", self.build_id);
	other[3] = other[3] == 'a' ? 'b' : 'a';
	ck_assert_ptr_null(find(self.path, other, here()));
	ck_assert_ptr_null(find(self.path, "", here()));
	other[4] = '\0'; /* a part of it is not it */
	ck_assert_ptr_null(find(self.path, other, here()));
	ck_assert_ptr_null(find(self.path, "../../../etc/passwd", here()));
	ck_assert_ptr_null(find(strrchr(self.path, '/') + 1, self.build_id,
	                        here())); /* no absolute path */
	ck_assert_ptr_null(find("", self.build_id, here()));
	ck_assert_ptr_null(find("/", self.build_id, here()));
	ck_assert_ptr_null(find("/dev/zero", self.build_id, here()));
	ck_assert_ptr_null(find("/nowhere/at/all", self.build_id, here()));
	ck_assert_int_eq(mkfifo(file, 0600), 0); /* nobody writes to it */
	ck_assert_ptr_null(find(file, self.build_id, here()));
}
END_TEST

/* A watchdog's device, opened by root, restarts the machine a minute later. */
START_TEST(what_is_no_file_is_not_even_opened)
{
	const int seen = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct inotify_event e;

	find_self();
	ck_assert_int_ge(seen, 0);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_int_ge(inotify_add_watch(seen, file, IN_OPEN), 0);
	ck_assert_ptr_null(find(file, self.build_id, here()));
	ck_assert_int_eq(read(seen, &e, sizeof(e)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	close(open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	ck_assert_int_eq(read(seen, &e, sizeof(e)), sizeof(e));
	close(seen);
}
END_TEST

START_TEST(so_many_files_and_no_more)
{
	char path[64];

	find_self();
	for (unsigned i = 1; i < TAILBOX__SYMBOL_FILES_MAX; i++) {
		snprintf(path, sizeof(path), "/nowhere/%u", i);
		ck_assert_ptr_null(find(path, self.build_id, 1));
	}
	ck_assert_str_eq(find(self.path, self.build_id, here()),
	                 "symbols_here");
	ck_assert_ptr_null(find("/nowhere/more", self.build_id, 1));
	ck_assert_uint_eq(symbols.files.count, TAILBOX__SYMBOL_FILES_MAX);
	ck_assert_str_eq(find(self.path, self.build_id, here()),
	                 "symbols_here");
}
END_TEST

/* --- any bytes ----------------------------------------------------------- */

/* A small ELF file with notes and a table of two functions. */
struct small {
	Elf64_Ehdr head;
	Elf64_Nhdr note;
	char name[4];
	unsigned char id[8];
	Elf64_Sym symbols[3];
	char texts[24];
	Elf64_Shdr sections[4];
};

#define SMALL_ID "0123456789abcdef"

static struct small small_file(void)
{
	static const unsigned char id[] = { 0x01, 0x23, 0x45, 0x67,
		                            0x89, 0xab, 0xcd, 0xef };
	struct small s;

	memset(&s, 0, sizeof(s));
	memcpy(s.head.e_ident, ELFMAG, SELFMAG);
	s.head.e_ident[EI_CLASS] = ELFCLASS64;
	s.head.e_ident[EI_DATA] = ELFDATA2LSB;
	s.head.e_shentsize = sizeof(Elf64_Shdr);
	s.head.e_shnum = 4;
	s.head.e_shoff = offsetof(struct small, sections);
	s.note = (Elf64_Nhdr){ 4, sizeof(id), NT_GNU_BUILD_ID };
	memcpy(s.name, "GNU", 4);
	memcpy(s.id, id, sizeof(id));
	memcpy(s.texts, "\0work@V1\0other", 15);
	s.symbols[1].st_name = 1;
	s.symbols[2].st_name = 9;
	for (unsigned i = 1; i < 3; i++) {
		s.symbols[i].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
		s.symbols[i].st_shndx = 1;
		s.symbols[i].st_value = 0x100 * i;
		s.symbols[i].st_size = 0x10;
	}
	s.sections[1] = (Elf64_Shdr){ .sh_type = SHT_NOTE,
		.sh_offset = offsetof(struct small, note),
		.sh_size = sizeof(s.note) + 4 + sizeof(id) };
	s.sections[2] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB, .sh_link = 3,
		.sh_offset = offsetof(struct small, symbols),
		.sh_size = sizeof(s.symbols) };
	s.sections[3] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct small, texts),
		.sh_size = sizeof(s.texts) };
	return s;
}

static const char *find_in(const void *bytes, size_t len, uint64_t address)
{
	const int fd = memfd_create("small", MFD_CLOEXEC);
	char path[40];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	tailbox__symbols_fini(&symbols);
	const char *name = find(path, SMALL_ID, address);
	close(fd);
	return name;
}

START_TEST(a_small_file_is_read)
{
	struct small s = small_file();

	ck_assert_str_eq(find_in(&s, sizeof(s), 0x100), "work");
	ck_assert_str_eq(find_in(&s, sizeof(s), 0x10f), "work");
	ck_assert_ptr_null(find_in(&s, sizeof(s), 0x110));
	ck_assert_ptr_null(find_in(&s, sizeof(s), 0xff));
	ck_assert_str_eq(find_in(&s, sizeof(s), 0x20f), "other");
	ck_assert_ptr_null(find_in(&s, sizeof(s), 0x210));
	s.symbols[1].st_size = 0; /* to the next one */
	ck_assert_str_eq(find_in(&s, sizeof(s), 0x1ff), "work");
	s.symbols[2].st_size = 0; /* the last has no end */
	ck_assert_ptr_null(find_in(&s, sizeof(s), 0x200));
	s = small_file();
	s.symbols[2].st_shndx = SHN_UNDEF; /* is in another file */
	ck_assert_ptr_null(find_in(&s, sizeof(s), 0x200));
	s = small_file();
	memcpy(s.texts + 1, "w\xff", 2); /* no UTF-8 */
	ck_assert_ptr_null(find_in(&s, sizeof(s), 0x100));
}
END_TEST

/* Or a file of a few MiB could keep a reader for hours. */
START_TEST(names_have_an_end_and_tables_are_one)
{
	enum { LONG = 4096 };
	struct {
		struct small s;
		char texts[LONG + 3];
	} f = { .s = small_file() };

	f.s.sections[3].sh_offset = sizeof(f.s);
	f.s.sections[3].sh_size = sizeof(f.texts);
	f.s.symbols[2].st_name = 2;
	memset(f.texts + 1, 'n', LONG + 1);
	ck_assert_ptr_null(find_in(&f, sizeof(f), 0x100));
	ck_assert_uint_eq(strlen(find_in(&f, sizeof(f), 0x200)), LONG);
	f.texts[LONG] = '@'; /* as long as a name with its version is */
	ck_assert_ptr_null(find_in(&f, sizeof(f), 0x100));
	ck_assert_uint_eq(strlen(find_in(&f, sizeof(f), 0x200)), LONG - 2);
	f.s = small_file();
	f.s.sections[0] = f.s.sections[2];
	ck_assert_str_eq(find_in(&f.s, sizeof(f.s), 0x100), "work");
	f.s.sections[0].sh_size = sizeof(Elf64_Sym);
	ck_assert_ptr_null(find_in(&f.s, sizeof(f.s), 0x100));
}
END_TEST

START_TEST(one_that_is_cut_or_changed_does_no_harm)
{
	const struct small good = small_file();
	unsigned char bytes[sizeof(good)];
	size_t found = 0;

	for (size_t n = 0; n < sizeof(good); n++)
		ck_assert_ptr_null(find_in(&good, n, 0x100));
	for (size_t i = 0; i < sizeof(good); i++) {
		static const unsigned char values[] = { 0, 1, 0x7f, 0xff };
		for (size_t k = 0; k < sizeof(values); k++) {
			memcpy(bytes, &good, sizeof(good));
			bytes[i] = values[k];
			found += find_in(bytes, sizeof(bytes), 0x100) != NULL;
		}
	}
	ck_assert_uint_gt(found, 0); /* what does not matter, may change */
	ck_assert_uint_lt(found, sizeof(good) * 4);
}
END_TEST

/* --- in words ------------------------------------------------------------ */

START_TEST(a_frame_in_words)
{
	char out[TAILBOX__FRAME_ROOM], small[8];

	tailbox__frame_text(out, sizeof(out), "/usr/bin/shop", "abcd", 0x12,
	                    "work", 0x1b, false);
	ck_assert_str_eq(out, "work+0x1b (shop)");
	tailbox__frame_text(out, sizeof(out), "shop", "abcd", 0x12, "", 0,
	                    true);
	ck_assert_str_eq(out, "?shop+0x12 abcd");
	tailbox__frame_text(out, sizeof(out), "shop", NULL, 0x12, NULL, 0,
	                    false);
	ck_assert_str_eq(out, "shop+0x12");
	tailbox__frame_text(out, sizeof(out), NULL, NULL, 0x7f12, NULL, 0,
	                    false);
	ck_assert_str_eq(out, "0x7f12");
	tailbox__frame_text(small, sizeof(small), "shop", "abcd", 0x12,
	                    "a_long_name", 0x1b, false);
	ck_assert_str_eq(small, "a_long_");
}
END_TEST

START_TEST(frames_of_a_run_get_their_names)
{
	struct tailbox__run *run;
	char out[TAILBOX__FRAME_ROOM];

	find_self();
	ck_assert_int_eq(tailbox__run_create(&run), 0);
	for (unsigned i = 0; i < 3; i++) {
		tailbox__list_add(&run->stacks);
		struct tailbox__run_frame *f = tailbox__list_add(&run->frames);
		f->stack = i;
		f->offset = here();
		f->module = tailbox__run_cstr(run, self.path);
		f->build_id = i == 1 ? 0
		                     : tailbox__run_cstr(run, self.build_id);
		f->function = i == 2 ? tailbox__run_cstr(run, "kept") : 0;
	}
	ck_assert_int_eq(tailbox__symbols_fill(run), 0);
	const struct tailbox__run_frame *f = run->frames.items;
	ck_assert_str_eq(tailbox__run_text(run, f[0].function, NULL),
	                 "symbols_here");
	ck_assert_uint_eq(f[1].function, 0);
	ck_assert_str_eq(tailbox__run_text(run, f[2].function, NULL), "kept");
	tailbox__run_frame_text(out, sizeof(out), run, &f[0]);
	ck_assert_int_eq(strncmp(out, "symbols_here+0x0 (", 18), 0);
	tailbox__run_destroy(run);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("symbols");
	TCase *tc = tcase_create("files");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_function_is_found_by_its_addresses);
	tcase_add_test(tc, another_build_or_another_place_gives_nothing);
	tcase_add_test(tc, what_is_no_file_is_not_even_opened);
	tcase_add_test(tc, so_many_files_and_no_more);
	tcase_add_test(tc, a_small_file_is_read);
	tcase_add_test(tc, names_have_an_end_and_tables_are_one);
	tcase_add_test(tc, one_that_is_cut_or_changed_does_no_harm);
	tcase_add_test(tc, a_frame_in_words);
	tcase_add_test(tc, frames_of_a_run_get_their_names);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
