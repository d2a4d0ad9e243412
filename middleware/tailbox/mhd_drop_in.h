/* tailbox/mhd_drop_in.h - record every daemon of a tree without touching it.
 *
 * SPDX-License-Identifier: MIT
 *
 * For trees with many calls of libmicrohttpd. Give it to the compiler for all
 * their sources, and link with libtailbox:
 *
 *     cc -include tailbox/mhd_drop_in.h ... $(pkg-config --cflags --libs tailbox)
 *
 * or include it in the sources, before or after <microhttpd.h>, which they go
 * on including. It renames calls and includes nothing of its own accord, so
 * that what a source defines before its first #include still counts.
 *
 * Nothing else is needed: the first daemon starts tailbox, under the name of
 * the program, and exit() stops it (tailbox_drop_in_start_daemon() in
 * <tailbox/mhd.h>). A program that calls tailbox_start() itself, before its
 * first daemon, says its name and settings there.
 *
 * MHD_quiesce_daemon() has its own name still: it is seen without help. Not
 * renamed is what is called by a pointer that dlsym() gave, and by libraries
 * that were compiled without this header. Since 0.1.
 */
#ifndef TAILBOX_MHD_DROP_IN_H
#define TAILBOX_MHD_DROP_IN_H 1

/* Its declarations were taken under the old names. */
#ifdef MHD_VERSION
#include <tailbox/mhd.h>
#endif

/* The same prototypes: a <microhttpd.h> that comes later declares ours. */
#define MHD_start_daemon tailbox_drop_in_start_daemon
#define MHD_start_daemon_va tailbox_drop_in_start_daemon_va
#define MHD_stop_daemon tailbox_mhd_stop_daemon
#define MHD_create_response_from_callback                                      \
	tailbox_mhd_create_response_from_callback
#define MHD_queue_response tailbox_mhd_queue_response
#define MHD_suspend_connection tailbox_mhd_suspend_connection
#define MHD_resume_connection tailbox_mhd_resume_connection

#endif
