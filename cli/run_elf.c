/* cli/run_elf.c - whether the agent can be loaded into a program.
 *
 * SPDX-License-Identifier: MIT
 *
 * The loader says nothing, or too much, when it cannot: of a static program
 * there is no loader, of a set-user-ID one it drops the agent in silence, and
 * the one of another C library ends the program over symbols that it lacks. So
 * the file is read first. All of it is the file's word: offsets and counts are
 * checked against its size.
 */
#include "cli/run.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As every libmicrohttpd says when it gives up. */
#define MHD_WORDS "Fatal error in GNU libmicrohttpd"
#define PHDRS_MAX 256u

typedef ElfW(Ehdr) ehdr;
typedef ElfW(Phdr) phdr;
typedef ElfW(Dyn) dyn;

struct image {
	const char *at;
	size_t size;
};

static bool map(const char *path, struct image *i)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *at = MAP_FAILED;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		          0);
	close(fd);
	if (at == MAP_FAILED)
		return false;
	i->at = at;
	i->size = (size_t)st.st_size;
	return true;
}

/* `size` bytes of the file at `at`; NULL where there are none. */
static const void *part(const struct image *i, uint64_t at, uint64_t size)
{
	return at <= i->size && size <= i->size - at ? i->at + at : NULL;
}

/* A text of the file, ended by a NUL that is in it. */
static const char *text(const struct image *i, uint64_t at)
{
	return at < i->size && memchr(i->at + at, 0, i->size - (size_t)at)
	               ? i->at + at : NULL;
}

/* --- its parts ------------------------------------------------------------ */

static bool is_elf(const struct image *i)
{
	return i->size >= SELFMAG && memcmp(i->at, ELFMAG, SELFMAG) == 0;
}

/* The i-th program header of that type, in aligned memory. */
static bool header(const struct image *i, uint32_t type, unsigned skip,
                   phdr *out)
{
	ehdr e;

	if (i->size < sizeof(e))
		return false;
	memcpy(&e, i->at, sizeof(e));
	if (e.e_phentsize != sizeof(phdr))
		return false;
	for (unsigned k = 0; k < e.e_phnum && k < PHDRS_MAX; k++) {
		const void *p = part(i, e.e_phoff + k * sizeof(*out),
		                     sizeof(*out));
		if (p == NULL)
			return false;
		memcpy(out, p, sizeof(*out));
		if (out->p_type == type && skip-- == 0)
			return true;
	}
	return false;
}

/* From an address of the running program to a place in the file. */
static uint64_t place_of(const struct image *i, uint64_t address)
{
	phdr p;

	for (unsigned k = 0; header(i, PT_LOAD, k, &p); k++)
		if (address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
			return address - p.p_vaddr + p.p_offset;
	return UINT64_MAX;
}

static const char *loader_of(const struct image *i)
{
	phdr p;

	return header(i, PT_INTERP, 0, &p) ? text(i, p.p_offset) : NULL;
}

/* Whether the k-th entry of the dynamic section is there. */
static bool entry_of(const struct image *i, size_t k, dyn *out)
{
	phdr p;
	const void *at;

	if (!header(i, PT_DYNAMIC, 0, &p) || k >= p.p_filesz / sizeof(*out))
		return false;
	at = part(i, p.p_offset + k * sizeof(*out), sizeof(*out));
	if (at == NULL)
		return false;
	memcpy(out, at, sizeof(*out));
	return out->d_tag != DT_NULL;
}

static void look_at_libraries(const struct image *i, struct cli__run_file *out)
{
	/* The run-time libraries of sanitizers want to be first of all. */
	static const char *const first[] = { "libasan.so", "libtsan.so",
		                             "libhwasan.so" };
	uint64_t names = UINT64_MAX;
	dyn d;

	for (size_t k = 0; entry_of(i, k, &d); k++)
		if (d.d_tag == DT_STRTAB)
			names = place_of(i, d.d_un.d_ptr);
	for (size_t k = 0; names < i->size && entry_of(i, k, &d); k++) {
		const char *name = d.d_tag == DT_NEEDED
		                           ? text(i, names + d.d_un.d_val)
		                           : NULL;
		if (name == NULL)
			continue;
		if (strncmp(name, "libmicrohttpd.so", 16) == 0)
			out->needs_mhd = true;
		for (size_t n = 0; n < sizeof(first) / sizeof(first[0]); n++)
			if (strncmp(name, first[n], strlen(first[n])) == 0 &&
			    strlen(name) < sizeof(out->first))
				memcpy(out->first, name,
				       strlen(name) + 1);
	}
}

/* --- what speaks against it ----------------------------------------------- */

/* As the kernel decides on "secure execution", for what can be seen here. */
static bool gains_rights(const char *path)
{
	struct statvfs fs;
	struct stat st;

	if (stat(path, &st) != 0 || statvfs(path, &fs) != 0 ||
	    (fs.f_flag & ST_NOSUID) ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return false;
	return ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
	       ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) &&
	        st.st_gid != getgid()) ||
	       (getuid() != 0 &&
	        getxattr(path, "security.capability", NULL, 0) > 0);
}

static void look_at_loader(const struct image *i, const struct image *self,
                           struct cli__run_file *out)
{
	const char *loader = loader_of(i), *ours = loader_of(self);
	const ehdr *e = part(i, 0, sizeof(*e)), *o = part(self, 0, sizeof(*o));

	if (e == NULL || o == NULL ||
	    e->e_ident[EI_CLASS] != o->e_ident[EI_CLASS] ||
	    e->e_ident[EI_DATA] != o->e_ident[EI_DATA] ||
	    e->e_machine != o->e_machine)
		snprintf(out->why_not, sizeof(out->why_not),
		         "it is built for another machine than this tailbox");
	else if (loader == NULL)
		snprintf(out->why_not, sizeof(out->why_not),
		         "it is linked statically: nothing can be loaded into "
		         "it");
	else if (ours != NULL && strcmp(loader, ours) != 0)
		snprintf(out->why_not, sizeof(out->why_not),
		         "it runs on another C library (%.100s; this tailbox "
		         "on %.100s)", loader, ours);
}

static void look_at(const char *path, const struct image *i,
                    const struct image *self, struct cli__run_file *out)
{
	out->is_script = i->size >= 2 && memcmp(i->at, "#!", 2) == 0;
	if (!is_elf(i))
		return;
	look_at_loader(i, self, out);
	if (out->why_not[0] == '\0')
		look_at_libraries(i, out);
	out->is_static_mhd = !out->needs_mhd &&
	                     memmem(i->at, i->size, MHD_WORDS,
	                            sizeof(MHD_WORDS) - 1) != NULL;
	if (out->why_not[0] == '\0' && gains_rights(path))
		snprintf(out->why_not, sizeof(out->why_not),
		         "it is set-user-ID, set-group-ID or has capabilities: "
		         "the loader lets nothing into it");
}

void cli__run_look(const char *path, struct cli__run_file *out)
{
	struct image i, self;

	memset(out, 0, sizeof(*out));
	if (!map(path, &i))
		return;
	if (map("/proc/self/exe", &self)) {
		look_at(path, &i, &self, out);
		munmap((void *)(uintptr_t)self.at, self.size);
	}
	munmap((void *)(uintptr_t)i.at, i.size);
}
