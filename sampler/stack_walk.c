/* sampler/stack_walk.c - return addresses on a stack, by frame pointers.
 *
 * SPDX-License-Identifier: MIT
 *
 * A frame pointer points to two words: the caller's frame pointer and the
 * address to return to. So it is on x86-64 and on aarch64, in code that keeps
 * one. Code that does not uses the register for something else, and what is in
 * there may be any number: it is followed only while it is aligned, above the
 * one before and inside the thread's stack. That ends for sure, and it reads
 * nothing that is not there.
 *
 * It cannot be wrong about what is mapped: everything from the stack pointer
 * up to the stack's end is. It can be wrong about what it means, where a
 * register happens to hold an address of the stack; whoever reads it should
 * know that, and the manual says so.
 *
 * A system call's wrapper in libc keeps no frame pointer as a rule, and a
 * worker that is stuck is nearly always in one. The chain then begins with
 * the caller's frame and its return address, so that the caller itself, whom
 * one wants to know most, is in none. Its return address lies somewhere
 * between stack pointer and frame: those words are kept, and sampler/modules.c
 * tells which of them follow a call.
 *
 * Sanitizers know neither these reads nor what they are for: they go over the
 * frames of others, which their owners may be writing to at other times.
 */
#include "sampler/stack_walk.h"

#if defined(__has_attribute)
#if __has_attribute(no_sanitize)
#define UNCHECKED                                                              \
	__attribute__((noinline, no_sanitize("address"), no_sanitize("thread")))
#endif
#endif
#ifndef UNCHECKED
#define UNCHECKED
#endif

/* Pointer authentication keeps a signature above an address's bits. */
#if defined(__aarch64__)
#define ADDRESS(a) ((a) & 0xffffffffffffu)
#else
#define ADDRESS(a) (a)
#endif

UNCHECKED static uintptr_t word_at(uintptr_t at)
{
	return *(const volatile uintptr_t *)at;
}

static bool is_frame(uintptr_t fp, uintptr_t above, uintptr_t high)
{
	return fp % sizeof(uintptr_t) == 0 && fp >= above && fp < high &&
	       high - fp >= 2 * sizeof(uintptr_t);
}

UNCHECKED static void keep_words(const struct tailbox__stack_from *from,
                                 uintptr_t until,
                                 struct tailbox__stack_raw *out)
{
	const size_t word = sizeof(uintptr_t);

	for (uintptr_t at = (from->sp + word - 1) / word * word;
	     at < until && until - at >= word &&
	     out->word_count < TAILBOX__STACK_WORDS;
	     at += word)
		out->word[out->word_count++] = ADDRESS(word_at(at));
}

UNCHECKED static enum tailbox__stack_end
follow(const struct tailbox__stack_from *from, struct tailbox__stack_raw *out)
{
	uintptr_t fp = from->fp, above = from->sp;

	while (fp != 0) {
		if (!is_frame(fp, above, from->high))
			return TAILBOX__STACK_UNSOUND;
		const uintptr_t back =
		        ADDRESS(word_at(fp + sizeof(uintptr_t)));
		if (back == 0)
			return TAILBOX__STACK_WHOLE;
		if (out->count == TAILBOX__STACK_DEPTH)
			return TAILBOX__STACK_DEEP;
		out->pc[out->count++] = back;
		above = fp + 2 * sizeof(uintptr_t);
		fp = word_at(fp);
	}
	return TAILBOX__STACK_WHOLE;
}

void tailbox__stack_walk(const struct tailbox__stack_from *from,
                         struct tailbox__stack_raw *out)
{
	out->pc[0] = from->pc;
	out->count = 1;
	out->word_count = 0;
	out->end = TAILBOX__STACK_ELSEWHERE;
	if (from->sp < from->low || from->sp >= from->high)
		return;
	/* The first candidate of all, where the architecture has it. */
	if (from->link != 0)
		out->word[out->word_count++] = ADDRESS(from->link);
	keep_words(from,
	           is_frame(from->fp, from->sp, from->high) ? from->fp
	                                                    : from->high,
	           out);
	out->end = follow(from, out);
}

/* --- calls --------------------------------------------------------------- */

#if defined(__x86_64__)
/* Bytes of `call` through a register or memory, by its ModRM and SIB bytes at
 * `m` (opcode ff, its number 2); 0 = it is something else. */
static size_t indirect_call(const unsigned char *m, size_t have)
{
	const unsigned mod = m[0] >> 6, rm = m[0] & 7;
	size_t bytes = 2;

	if ((m[0] >> 3 & 7) != 2)
		return 0;
	if (mod != 3 && rm == 4) {
		if (have < 2)
			return 0;
		bytes++;
		if (mod == 0 && (m[1] & 7) == 5)
			bytes += 4;
	} else if (mod == 0 && rm == 5) {
		bytes += 4;
	}
	if (mod == 1)
		bytes += 1;
	else if (mod == 2)
		bytes += 4;
	return bytes;
}

bool tailbox__stack_is_after_call(const unsigned char *at, size_t before)
{
	if (before >= 5 && at[-5] == 0xe8)
		return true;
	for (size_t n = 2; n <= 7 && n <= before; n++)
		if (at[-(ptrdiff_t)n] == 0xff &&
		    indirect_call(at - n + 1, n - 1) == n)
			return true;
	return false;
}

static bool is_syscall(const unsigned char *at)
{
	return at[0] == 0x0f && at[1] == 0x05;
}

bool tailbox__stack_is_at_syscall(const unsigned char *at, size_t before,
                                  size_t after)
{
	return (after >= 2 && is_syscall(at)) ||
	       (before >= 2 && is_syscall(at - 2));
}
#elif defined(__aarch64__)
static uint32_t instruction(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

bool tailbox__stack_is_after_call(const unsigned char *at, size_t before)
{
	if (before < 4 || (uintptr_t)at % 4 != 0)
		return false;
	const uint32_t i = instruction(at - 4);
	return (i & 0xfc000000u) == 0x94000000u || /* bl */
	       (i & 0xfffffc1fu) == 0xd63f0000u || /* blr */
	       (i & 0xfefff800u) == 0xd63f0800u;   /* blraa and its like */
}

bool tailbox__stack_is_at_syscall(const unsigned char *at, size_t before,
                                  size_t after)
{
	const uint32_t svc = 0xd4000001u;

	if ((uintptr_t)at % 4 != 0)
		return false;
	return (after >= 4 && instruction(at) == svc) ||
	       (before >= 4 && instruction(at - 4) == svc);
}
#else
bool tailbox__stack_is_after_call(const unsigned char *at, size_t before)
{
	(void)at;
	(void)before;
	return false;
}

bool tailbox__stack_is_at_syscall(const unsigned char *at, size_t before,
                                  size_t after)
{
	(void)at;
	(void)before;
	(void)after;
	return false;
}
#endif
