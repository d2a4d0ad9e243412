/* core/daemons.h - which servers run in this process: the middleware says so,
 * the sampler and status look.
 *
 * SPDX-License-Identifier: MIT
 *
 * The sampler never calls into the server library; it has the listen socket's
 * number and identity and checks the identity before each look, because a
 * daemon may be stopped without our knowing.
 */
#ifndef TAILBOX_CORE_DAEMONS_H
#define TAILBOX_CORE_DAEMONS_H 1

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <tailbox/request.h>

#define TAILBOX__DAEMONS_MAX 64u

enum tailbox__daemon_mode {
	TAILBOX__DAEMON_SINGLE,   /* one internal polling thread */
	TAILBOX__DAEMON_POOL,
	TAILBOX__DAEMON_THREADS,  /* thread per connection */
	TAILBOX__DAEMON_EXTERNAL  /* the application runs the loop */
};

struct tailbox__daemon {
	uint32_t number;        /* from 1, never reused in the process */
	enum tailbox__daemon_mode mode;
	uint32_t workers;       /* threads that run callbacks; 0 = no fixed
	                           number (thread per connection) */
	int listen_fd;          /* -1 = none */
	dev_t listen_dev;       /* identity of listen_fd (fstat) */
	ino_t listen_ino;
	uint16_t port;          /* 0 = none or not TCP */
	uint32_t flags;         /* MHD_FLAG bits */
	uint32_t connection_limit; /* 0 = not known */
	uint32_t timeout_s;     /* 0 = none */
	uint32_t backlog;       /* 0 = not known */
	uint64_t memory_limit;  /* per connection; 0 = default */
	bool is_recorded;
	char note[96];          /* why it is not recorded: the option */
	/* Threads of the process that came into being with the daemon, by
	 * looking at the task list before and after; idle workers included.
	 * At most the first 64. */
	uint32_t tid_count;
	uint32_t tids[64];
};

/* Add: number is set in *d. 0 or -ENOSPC. Any thread; takes a lock. */
int tailbox__daemon_add(struct tailbox__daemon *d);
void tailbox__daemon_remove(uint32_t number);
/* Copy all present ones into out (room for TAILBOX__DAEMONS_MAX); returns the
 * number. Any thread; takes a lock. */
uint32_t tailbox__daemons(struct tailbox__daemon *out);
/* The version of the server library that was loaded, "" until known. */
void tailbox__daemon_set_library(const char *version);
const char *tailbox__daemon_library(void);

/* The request that is served on a connection of the server library, for those
 * who may not ask the middleware; NULL = none, or no daemon was ever recorded.
 * On the thread that serves the connection. */
tailbox_request tailbox__request_of(void *connection);
/* The middleware says how, before it adds its first daemon. */
void tailbox__set_request_of(tailbox_request (*find)(void *connection));

/* Threads of ours (sampler, follower, admin...), so that they are not taken
 * for the application's. Any thread. */
void tailbox__own_thread(bool is_started);
bool tailbox__is_own_thread(uint32_t tid);
/* CPU time that they used, those that have ended too. */
uint64_t tailbox__own_threads_cpu_ns(void);
/* In a forked child: no daemon and no thread of ours is left. */
void tailbox__daemons_in_child(void);

#endif
