/* analyzer/timeline_text.h - how a time, a date or a foreign text is shown.
 *
 * SPDX-License-Identifier: MIT
 *
 * Texts of a run or a tape come from outside, so nothing of them reaches a
 * terminal that could move its cursor or turn the line around. Columns are
 * counted by characters, two for the wide ones.
 */
#ifndef TAILBOX_ANALYZER_TIMELINE_TEXT_H
#define TAILBOX_ANALYZER_TIMELINE_TEXT_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/show.h"

/* A duration with the unit that suits it and three digits: "0.81 us",
 * "171 us", "1.40 ms", "1.33 s", "75.2 s", "1204 s"; "0" for 0. Returns buf,
 * of TAILBOX__SHOW_ROOM bytes. */
const char *tailbox__show_ns(char *buf, uint64_t ns);
/* The same of microseconds; below 1 ms whole ones, since that is their
 * resolution. */
const char *tailbox__show_us(char *buf, uint64_t us);
/* A duration known to `step_ns` only: whole steps of a decimal unit, never a
 * finer digit: "24 ms", "1.2 s". */
const char *tailbox__show_coarse(char *buf, uint64_t ns, uint64_t step_ns);
/* "2025-11-20 03:12:41"; the day left out: "03:12:41"; with milliseconds:
 * "03:12:41.007". "?" for what has no date. */
const char *tailbox__show_utc(char *buf, uint64_t unix_ms);
const char *tailbox__show_clock(char *buf, uint64_t unix_ms);
const char *tailbox__show_clock_ms(char *buf, uint64_t unix_ms);

/* Write at most `columns` columns of a foreign text: control and direction
 * characters and what is not UTF-8 as \xNN, too long cut with "..". Returns
 * the columns used. */
size_t tailbox__show_text(FILE *out, const char *s, size_t len, size_t columns);
/* The same, filled up with blanks. */
void tailbox__show_padded(FILE *out, const char *s, size_t len, size_t columns);
/* The columns of all of it. */
size_t tailbox__show_columns(const char *s, size_t len);
/* How many bytes of it a line of so many columns takes: all, or those before
 * a blank, or where there is none those before a character; at least one. */
size_t tailbox__show_fit(const char *s, size_t len, size_t columns);
/* Whether it is shown as it is: nothing becomes \xNN. */
bool tailbox__show_is_plain(const char *s, size_t len);
/* Into size >= 1 bytes, with a NUL behind: whole characters, at most so many
 * columns, the same as tailbox__show_text(). Returns the bytes used. */
size_t tailbox__show_into(char *buf, size_t size, const char *s, size_t len,
                          size_t columns);

#endif
