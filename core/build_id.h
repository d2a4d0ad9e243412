/* core/build_id.h - the build id in the notes of an ELF file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAILBOX_CORE_BUILD_ID_H
#define TAILBOX_CORE_BUILD_ID_H 1

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of one that are kept: SHA-1's 20; a longer one is cut. */
#define TAILBOX__BUILD_ID_BYTES 20u
#define TAILBOX__BUILD_ID_ROOM (2 * TAILBOX__BUILD_ID_BYTES + 1)

/* Look for it in a section of notes of any origin, and write it down as
 * hexadecimal digits. Gives their number; 0: there is none. Notes of 64-bit
 * files and of 32-bit ones have the same form. */
static inline size_t tailbox__build_id(const unsigned char *at, size_t bytes,
                                       char text[TAILBOX__BUILD_ID_ROOM])
{
	static const char digits[] = "0123456789abcdef";
	Elf64_Nhdr n;

	text[0] = '\0';
	while (bytes >= sizeof(n)) {
		memcpy(&n, at, sizeof(n));
		const uint64_t name = ((uint64_t)n.n_namesz + 3) / 4 * 4;
		const uint64_t desc = ((uint64_t)n.n_descsz + 3) / 4 * 4;
		const size_t left = bytes - sizeof(n);
		if (name > left || desc > left - name)
			return 0;
		at += sizeof(n);
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
		    memcmp(at, "GNU", 4) == 0) {
			const size_t len = n.n_descsz < TAILBOX__BUILD_ID_BYTES
			                           ? n.n_descsz
			                           : TAILBOX__BUILD_ID_BYTES;
			for (size_t i = 0; i < len; i++) {
				text[2 * i] = digits[at[name + i] >> 4];
				text[2 * i + 1] = digits[at[name + i] & 15];
			}
			text[2 * len] = '\0';
			return 2 * len;
		}
		at += name + desc;
		bytes = left - name - desc;
	}
	return 0;
}

#endif
