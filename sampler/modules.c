/* sampler/modules.c - from addresses to places in files.
 *
 * SPDX-License-Identifier: MIT
 *
 * dl_iterate_phdr() holds the linker's lock over its callback, and no module
 * is unmapped while that is held: so their code and notes can be read in
 * there, and nowhere else. A module that went between the signal and now is
 * not found, and its addresses stay plain numbers.
 *
 * What no frame pointer led to is shown where a frame pointer cannot lead: from
 * a system call's wrapper to its caller, and where there is no chain at all.
 */
#include "sampler/modules.h"

#include <link.h>
#include <string.h>
#include <unistd.h>

#include <tailbox.h>

#include "core/build_id.h"
#include "core/recorder.h"

struct search {
	const struct tailbox__stack_raw *raw;
	uint64_t frame[TAILBOX__STACK_DEPTH];   /* 0 = not found */
	uint64_t guess[TAILBOX__STACK_WORDS];   /* 0 = is none */
	bool is_in_kernel; /* it was in a system call */
};

/* --- a module's names ---------------------------------------------------- */

/* A header may name what was not loaded. */
static bool is_readable(const struct dl_phdr_info *m, const ElfW(Phdr) *part)
{
	for (unsigned i = 0; i < m->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &m->dlpi_phdr[i];
		if (p->p_type == PT_LOAD && (p->p_flags & PF_R) &&
		    part->p_vaddr >= p->p_vaddr &&
		    part->p_vaddr - p->p_vaddr <= p->p_filesz &&
		    part->p_memsz <=
		            p->p_filesz - (part->p_vaddr - p->p_vaddr))
			return true;
	}
	return false;
}

static uint16_t name_build(const struct dl_phdr_info *m)
{
	char text[TAILBOX__BUILD_ID_ROOM];
	size_t n = 0;

	for (unsigned i = 0; i < m->dlpi_phnum && n == 0; i++) {
		const ElfW(Phdr) *p = &m->dlpi_phdr[i];
		if (p->p_type == PT_NOTE && is_readable(m, p))
			n = tailbox__build_id(
			        (const unsigned char *)(m->dlpi_addr +
			                                p->p_vaddr),
			        p->p_memsz, text);
	}
	return tailbox__name(text, n);
}

/* The end of a path that is too long: the file's name is there. */
static uint16_t name_path(const struct dl_phdr_info *m)
{
	char program[1024];
	const char *path = m->dlpi_name;

	if (path == NULL || path[0] == '\0') { /* the program itself */
		const ssize_t n = readlink("/proc/self/exe", program,
		                           sizeof(program) - 1);
		program[n > 0 ? n : 0] = '\0';
		path = n > 0 ? program : "{program}";
	}
	const size_t len = strlen(path);
	return tailbox__name_cstr(len > TAILBOX_NAME_MAX
	                                  ? path + len - TAILBOX_NAME_MAX
	                                  : path);
}

/* --- whose is an address ------------------------------------------------- */

/* The segment of code that the address lies in. */
static const ElfW(Phdr) *code_at(const struct dl_phdr_info *m,
                                 uintptr_t address)
{
	for (unsigned i = 0; i < m->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &m->dlpi_phdr[i];
		const uintptr_t from = m->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && (p->p_flags & PF_X) &&
		    address >= from && address - from < p->p_memsz)
			return p;
	}
	return NULL;
}

static uint64_t frame_of(uintptr_t address, const struct dl_phdr_info *m,
                         uint16_t path, uint16_t build)
{
	const uintptr_t offset = address - m->dlpi_addr;

	return path != TAILBOX__NAME_NONE && offset <= UINT32_MAX
	               ? TAILBOX__FRAME(path, build, offset)
	               : TAILBOX__FRAME_ANYWHERE(address);
}

static bool is_return(const struct dl_phdr_info *m, uintptr_t address)
{
	const ElfW(Phdr) *p = code_at(m, address);

	return p != NULL && (p->p_flags & PF_R) &&
	       tailbox__stack_is_after_call((const unsigned char *)address,
	                                    address - m->dlpi_addr -
	                                            p->p_vaddr);
}

static bool is_at_syscall(const struct dl_phdr_info *m, uintptr_t address)
{
	const ElfW(Phdr) *p = code_at(m, address);
	const uintptr_t in = address - m->dlpi_addr - p->p_vaddr;

	return (p->p_flags & PF_R) &&
	       tailbox__stack_is_at_syscall((const unsigned char *)address, in,
	                                    p->p_memsz - in);
}

static int look(struct dl_phdr_info *m, size_t bytes, void *cls)
{
	struct search *s = cls;
	uint16_t path = 0, build = 0;
	bool is_named = false;

	(void)bytes;
	/* Of a module that is met: names are not many. */
#define NAME_IT                                                                \
	if (!is_named) {                                                       \
		path = name_path(m);                                           \
		build = name_build(m);                                         \
		is_named = true;                                               \
	}
	for (uint32_t i = 0; i < s->raw->count; i++) {
		/* A call that does not return ends its function: the address
		 * behind it may be another module's. */
		const uintptr_t at = s->raw->pc[i] - (i > 0);
		if (s->frame[i] != 0 || code_at(m, at) == NULL)
			continue;
		NAME_IT
		s->frame[i] = frame_of(s->raw->pc[i], m, path, build);
		if (i == 0)
			s->is_in_kernel = is_at_syscall(m, at);
	}
	for (uint32_t i = 0; i < s->raw->word_count; i++) {
		if (!is_return(m, s->raw->word[i]))
			continue;
		NAME_IT
		s->guess[i] = frame_of(s->raw->word[i], m, path, build);
	}
#undef NAME_IT
	return 0;
}

void tailbox__stack_resolve(const struct tailbox__stack_raw *raw,
                            struct tailbox__stack *out)
{
	struct search s = { .raw = raw };
	uint32_t guesses = 0;

	dl_iterate_phdr(look, &s);
	/* A function that runs and keeps a frame pointer has its own variables
	 * there; what lies between them is of calls that are over. */
	const bool may_guess = s.is_in_kernel || raw->count == 1;
	memset(out, 0, sizeof(*out));
	out->end = raw->end;
	for (uint32_t i = 0; i < raw->count; i++) {
		if (s.frame[i] == 0)
			s.frame[i] = TAILBOX__FRAME_ANYWHERE(raw->pc[i]);
		if (out->count == TAILBOX__STACK_DEPTH) {
			out->end = TAILBOX__STACK_DEEP;
			break;
		}
		out->frame[out->count++] = s.frame[i];
		for (uint32_t k = 0;
		     i == 0 && may_guess && k < raw->word_count; k++) {
			if (s.guess[k] == 0 ||
			    guesses == TAILBOX__STACK_GUESSES)
				continue;
			guesses++;
			out->guessed |= UINT32_C(1) << out->count;
			out->frame[out->count++] = s.guess[k];
		}
	}
}
