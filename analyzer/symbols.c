/* analyzer/symbols.c - which function an address of a file is in.
 *
 * SPDX-License-Identifier: MIT
 *
 * The functions of a file's symbol table (.symtab; of a stripped file that of
 * its debug file under /usr/lib/debug/.build-id, else .dynsym), sorted by
 * address. No tool is asked: addr2line is not on every machine, has to be
 * started and waited for, and gives no offsets. What it can do beyond this,
 * source lines and inlined calls, it can still be asked by hand with what a
 * frame says.
 *
 * The path and the address come from a tape or an artifact, and so does
 * nothing else: a file is read as a regular file only, and every number in it
 * is checked against its size and a limit. ELF of 64 bits in this machine's
 * byte order, as stacks are taken of.
 */
#include "analyzer/symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/load_json.h"
#include "core/alloc.h"
#include "core/build_id.h"

#define NOTES_MAX ((uint64_t)1 << 16) /* bytes of a section of notes */
#define TABLE_MAX ((uint64_t)256 << 20) /* bytes of a table of symbols */
#define NAME_MAX_BYTES 4096u /* of a function; one that is longer is none */

struct function {
	uint64_t at, size;
	uint32_t name; /* in texts */
	uint32_t rank; /* of the names of one address the least is taken */
};

struct tailbox__symbol_file {
	char *path, *build_id;
	struct function *functions; /* by address */
	size_t count;
	char *texts; /* ends with a NUL */
	size_t text_bytes;
};

/* An ELF file while it is read. */
struct elf {
	int fd;
	uint64_t bytes;
	Elf64_Ehdr head;
	Elf64_Shdr *sections;
};

/* --- reading ------------------------------------------------------------- */

static bool read_at(const struct elf *e, void *to, uint64_t bytes,
                    uint64_t offset)
{
	uint64_t done = 0;

	if (offset > e->bytes || bytes > e->bytes - offset)
		return false;
	while (done < bytes) {
		const ssize_t n = pread(e->fd, (char *)to + done, bytes - done,
		                        (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (uint64_t)n;
	}
	return true;
}

/* Of a section, with a NUL behind; free it. NULL: none, or it is too much. */
static char *read_section(const struct elf *e, const Elf64_Shdr *s,
                          uint64_t most)
{
	if (s->sh_type == SHT_NOBITS || s->sh_size == 0 || s->sh_size > most ||
	    s->sh_size > e->bytes)
		return NULL;
	char *to = tailbox__alloc(1, s->sh_size + 1);
	if (to != NULL && !read_at(e, to, s->sh_size, s->sh_offset))
		tailbox__free(to), to = NULL;
	if (to != NULL)
		to[s->sh_size] = '\0';
	return to;
}

static void elf_close(struct elf *e)
{
	tailbox__free(e->sections), e->sections = NULL;
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

static bool elf_open(struct elf *e, const char *path)
{
	struct stat st;

	memset(e, 0, sizeof(*e));
	e->fd = -1;
	/* There are devices that do something when they are opened. */
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	/* Should it be another by now: not to wait for a pipe's other end. */
	e->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (e->fd < 0)
		return false;
	if (fstat(e->fd, &st) != 0 || !S_ISREG(st.st_mode))
		goto failed;
	e->bytes = (uint64_t)st.st_size;
	if (!read_at(e, &e->head, sizeof(e->head), 0) ||
	    memcmp(e->head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    e->head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->head.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e->head.e_shentsize != sizeof(Elf64_Shdr) ||
	    e->head.e_shnum == 0)
		goto failed;
	e->sections = tailbox__alloc(e->head.e_shnum, sizeof(Elf64_Shdr));
	if (e->sections != NULL &&
	    read_at(e, e->sections, e->head.e_shnum * sizeof(Elf64_Shdr),
	            e->head.e_shoff))
		return true;
failed:
	elf_close(e);
	return false;
}

/* --- whose file it is ---------------------------------------------------- */

static bool has_build_id(const struct elf *e, const char *build_id)
{
	char text[TAILBOX__BUILD_ID_ROOM];
	bool is_it = false;

	for (unsigned i = 0; i < e->head.e_shnum && !is_it; i++) {
		const Elf64_Shdr *s = &e->sections[i];
		char *notes = s->sh_type == SHT_NOTE
		                      ? read_section(e, s, NOTES_MAX)
		                      : NULL;
		if (notes != NULL)
			is_it = tailbox__build_id((unsigned char *)notes,
			                          s->sh_size, text) > 0 &&
			        strcmp(text, build_id) == 0;
		tailbox__free(notes);
	}
	return is_it;
}

/* --- its functions ------------------------------------------------------- */

/* Names with underscores in front are for the libraries themselves. */
static uint32_t rank_of(const char *name, unsigned char info)
{
	return (name[0] == '_' ? 2u : 0u) +
	       (ELF64_ST_BIND(info) == STB_LOCAL ? 1u : 0u);
}

static int by_address(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* Takes what a table has; the texts become the file's. Names may lie one in the
 * other, so that how long each may be is not only a matter of the file's size. */
static void take(struct tailbox__symbol_file *f, const char *table,
                 uint64_t bytes)
{
	const uint64_t n = bytes / sizeof(Elf64_Sym);
	size_t kept = 0;

	f->functions = tailbox__alloc(n ? n : 1, sizeof(*f->functions));
	for (uint64_t i = 0; f->functions != NULL && i < n; i++) {
		Elf64_Sym s;
		memcpy(&s, table + i * sizeof(s), sizeof(s));
		const unsigned type = ELF64_ST_TYPE(s.st_info);
		if ((type != STT_FUNC && type != STT_GNU_IFUNC) ||
		    s.st_shndx == SHN_UNDEF || s.st_name >= f->text_bytes ||
		    f->texts[s.st_name] == '\0')
			continue;
		const size_t len =
		        strnlen(f->texts + s.st_name, NAME_MAX_BYTES + 1);
		if (len > NAME_MAX_BYTES)
			continue;
		/* "read@GLIBC_2.2.5": who reads wants no version. */
		char *version = memchr(f->texts + s.st_name + 1, '@', len - 1);
		if (version != NULL)
			*version = '\0';
		f->functions[f->count++] = (struct function){
			s.st_value, s.st_size, s.st_name,
			rank_of(f->texts + s.st_name, s.st_info)
		};
	}
	if (f->count == 0)
		return;
	qsort(f->functions, f->count, sizeof(*f->functions), by_address);
	for (size_t i = 0; i < f->count; i++)
		if (kept == 0 ||
		    f->functions[kept - 1].at != f->functions[i].at)
			f->functions[kept++] = f->functions[i];
	f->count = kept;
}

/* Of a type a file has one: the first one counts. */
static bool take_table(struct tailbox__symbol_file *f, const struct elf *e,
                       uint32_t type)
{
	for (unsigned i = 0; i < e->head.e_shnum; i++) {
		const Elf64_Shdr *s = &e->sections[i];
		if (s->sh_type != type || s->sh_link >= e->head.e_shnum)
			continue;
		const Elf64_Shdr *names = &e->sections[s->sh_link];
		char *table = read_section(e, s, TABLE_MAX);
		f->texts = read_section(e, names, TABLE_MAX);
		f->text_bytes = names->sh_size;
		if (table != NULL && f->texts != NULL)
			take(f, table, s->sh_size);
		tailbox__free(table);
		break;
	}
	if (f->count > 0)
		return true;
	tailbox__free(f->functions), f->functions = NULL;
	tailbox__free(f->texts), f->texts = NULL;
	return false;
}

static bool take_debug_file(struct tailbox__symbol_file *f)
{
	char path[256];
	struct elf e;
	bool is_taken = false;

	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug",
	         f->build_id, f->build_id + 2);
	if (!elf_open(&e, path))
		return false;
	if (has_build_id(&e, f->build_id))
		is_taken = take_table(f, &e, SHT_SYMTAB);
	elf_close(&e);
	return is_taken;
}

static void look_into(struct tailbox__symbol_file *f)
{
	struct elf e;

	/* Digits alone: it becomes part of a path. */
	if (f->path[0] != '/' || strlen(f->build_id) < 4 ||
	    f->build_id[strspn(f->build_id, "0123456789abcdef")] != '\0' ||
	    !elf_open(&e, f->path))
		return;
	if (has_build_id(&e, f->build_id) &&
	    !take_table(f, &e, SHT_SYMTAB) && !take_debug_file(f))
		take_table(f, &e, SHT_DYNSYM);
	elf_close(&e);
}

/* --- asking -------------------------------------------------------------- */

static void file_free(struct tailbox__symbol_file *f)
{
	if (f == NULL)
		return;
	tailbox__free(f->path);
	tailbox__free(f->build_id);
	tailbox__free(f->functions);
	tailbox__free(f->texts);
	tailbox__free(f);
}

void tailbox__symbols_fini(struct tailbox__symbols *s)
{
	for (size_t i = 0; i < s->files.count; i++)
		file_free(s->files.items[i]);
	tailbox__free(s->files.items);
	memset(s, 0, sizeof(*s));
}

static char *copy(const char *text)
{
	const size_t n = strlen(text) + 1;
	char *to = tailbox__alloc(1, n);

	return to != NULL ? memcpy(to, text, n) : NULL;
}

static struct tailbox__symbol_file *file_of(struct tailbox__symbols *s,
                                            const char *path,
                                            const char *build_id)
{
	struct tailbox__symbol_file *f, **place;

	for (size_t i = 0; i < s->files.count; i++) {
		f = s->files.items[i];
		if (strcmp(f->path, path) == 0 &&
		    strcmp(f->build_id, build_id) == 0)
			return f;
	}
	f = s->files.count < TAILBOX__SYMBOL_FILES_MAX
	            ? tailbox__zalloc(1, sizeof(*f))
	            : NULL;
	if (f == NULL)
		return NULL;
	f->path = copy(path);
	f->build_id = copy(build_id);
	place = f->path && f->build_id ? tailbox__list_add(&s->files) : NULL;
	if (place == NULL) {
		file_free(f);
		return NULL;
	}
	*place = f;
	look_into(f); /* once, also where nothing comes of it */
	return f;
}

const char *tailbox__symbols_find(struct tailbox__symbols *s, const char *path,
                                  const char *build_id, uint64_t address,
                                  uint64_t *offset)
{
	const struct tailbox__symbol_file *f = file_of(s, path, build_id);
	size_t low = 0, high = f ? f->count : 0;

	while (low < high) { /* the first that begins behind it */
		const size_t mid = low + (high - low) / 2;
		if (f->functions[mid].at <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return NULL;
	const struct function *is = &f->functions[low - 1];
	/* A size of 0: written by hand, it goes on to the next one. */
	if (is->size != 0 ? address - is->at >= is->size : low == f->count)
		return NULL;
	const char *name = f->texts + is->name;
	*offset = address - is->at;
	return tailbox__load_is_utf8(name, strlen(name)) ? name : NULL;
}

const char *tailbox__symbols_frame(struct tailbox__symbols *s,
                                   const char *path, const char *build_id,
                                   uint64_t address, bool is_return,
                                   uint64_t *offset)
{
	/* A call may be the last that a function does. */
	is_return = is_return && address > 0;
	const char *name = tailbox__symbols_find(s, path, build_id,
	                                         address - is_return, offset);
	if (name != NULL)
		*offset += is_return;
	return name;
}

int tailbox__symbols_fill(struct tailbox__run *run)
{
	struct tailbox__symbols s = { .files = { .items = NULL } };
	int rc = 0;

	for (size_t i = 0; i < run->frames.count && rc == 0; i++) {
		struct tailbox__run_frame *f = &run->frames.items[i];
		const bool is_first = i == 0 || f[-1].stack != f->stack;
		if (f->function || !f->module || !f->build_id)
			continue;
		const char *name = tailbox__symbols_frame(
		        &s, tailbox__run_text(run, f->module, NULL),
		        tailbox__run_text(run, f->build_id, NULL), f->offset,
		        !is_first, &f->function_offset);
		if (name == NULL)
			continue;
		f->function = tailbox__run_cstr(run, name);
		rc = f->function ? 0 : -ENOMEM;
	}
	tailbox__symbols_fini(&s);
	return rc;
}

/* --- in words ------------------------------------------------------------ */

void tailbox__frame_text(char *out, size_t room, const char *module,
                         const char *build_id, uint64_t address,
                         const char *function, uint64_t function_offset,
                         bool is_guessed)
{
	const char *slash = module != NULL ? strrchr(module, '/') : NULL;
	const char *file = slash != NULL ? slash + 1 : module;
	const char *mark = is_guessed ? "?" : "";

	if (file == NULL || file[0] == '\0')
		snprintf(out, room, "%s0x%" PRIx64, mark, address);
	else if (function != NULL && function[0] != '\0')
		snprintf(out, room, "%s%s+0x%" PRIx64 " (%s)", mark, function,
		         function_offset, file);
	else
		snprintf(out, room, "%s%s+0x%" PRIx64 "%s%s", mark, file,
		         address, build_id && build_id[0] ? " " : "",
		         build_id ? build_id : "");
}

void tailbox__run_frame_text(char *out, size_t room,
                             const struct tailbox__run *run,
                             const struct tailbox__run_frame *f)
{
	tailbox__frame_text(out, room, tailbox__run_text(run, f->module, NULL),
	                    tailbox__run_text(run, f->build_id, NULL),
	                    f->offset,
	                    tailbox__run_text(run, f->function, NULL),
	                    f->function_offset,
	                    f->flags & TAILBOX__FRAME_GUESSED);
}
