/* tailbox.h - the black box for tail latency: start, stop, errors.
 *
 * SPDX-License-Identifier: MIT
 *
 * Thread words, used by every public header:
 *   any thread            may be called from any thread at any time
 *   one thread per object calls on one object must not overlap (the default)
 *   owner thread only     only the thread that made the object
 *   before start only     before tailbox_start(), or after tailbox_stop()
 *
 * Signals: no function here is async-signal-safe. fork(): the child does not
 * record until it calls tailbox_start() itself. dlopen(): never dlclose() a
 * library that holds tailbox while it is started. Two copies in one process (a
 * static one, and a plugin's): each records under its own service's name; under
 * the same name the second goes unrecorded, -EBUSY.
 *
 * The first law: a failure of tailbox is never a failure of the service. Each
 * function accepts being called when tailbox is not started, is off, or could
 * not open its tape, and then does nothing.
 */
#ifndef TAILBOX_H
#define TAILBOX_H 1

#include <tailbox/base.h>
#include <tailbox/request.h>
#include <tailbox/span.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Errors of our own; every function that returns int gives 0 or more on
 * success and -errno or -TAILBOX_E... on failure. */
enum {
	TAILBOX_EMALFORMED = 1024, /* not the syntax that was expected */
	TAILBOX_ETRUNCATED = 1025, /* the input ends early */
	TAILBOX_ESHAPE = 1026,     /* valid syntax, wrong or missing members */
	TAILBOX_EVERSION = 1027,   /* a format version this library cannot read */
	TAILBOX_EFOREIGN = 1028,   /* not a file of ours, or other byte order */
	TAILBOX_EDAMAGED = 1029,   /* a checksum or an inner bound is wrong */
	TAILBOX_ESTATE = 1030,     /* not possible in the present state */
	TAILBOX_EINVALIDRUN = 1031 /* strict validation found errors */
};

/* The text for an error code of either sign. Never NULL; static storage.
 * Threads: any thread. Since 0.1. */
TAILBOX_API const char *tailbox_strerror(int code);

/* The version of the library that is loaded, "0.1.0". Threads: any thread.
 * Since 0.1. */
TAILBOX_API const char *tailbox_version(void);

/* Called with one line of text (no newline) when tailbox has something to
 * say: could not open the tape, artifact placed, and the like. Must return
 * quickly; runs on threads of tailbox and inside tailbox_start/stop, on several
 * at a time. */
typedef void (*tailbox_log_fn)(void *cls, const char *line);

/* Fill with tailbox_options_init(), then change what you need. */
struct tailbox_options {
	size_t size;               /* sizeof(struct), as the caller saw it */
	const char *service_version; /* NULL = unknown */
	const char *run_dir;       /* folder of tape and socket; NULL = see
	                              tailbox_start() */
	const char *artifact_dir;  /* NULL = see tailbox_start() */
	uint64_t tape_bytes;       /* 0 = min(16 MiB, 1/4 of the free space, 1/32
	                              of the cgroup's limit); else 1 MiB..1 GiB.
	                              Rounded down to a power of two, and halved
	                              until it has room and is not above
	                              RLIMIT_FSIZE. A time, too, in a file:
	                              [tape] history */
	uint32_t sample_interval_ms; /* 0 = by mode: 500 light, 100
	                              investigation; else 10..60000 */
	uint32_t drain_timeout_ms; /* 0 = 10000; max 600000 */
	tailbox_log_fn log;        /* NULL = silent */
	void *log_cls;
	const char *config;        /* file of settings, see tailbox.conf(5);
	                              NULL = none. TAILBOX_CONFIG goes first */
};

/* Inline on purpose: `size` must be the caller's, and padding is cleared. */
static inline void tailbox_options_init(struct tailbox_options *o)
{
	memset(o, 0, sizeof(*o));
	o->size = sizeof(*o);
}

/* Start recording this process. Opens the tape, starts the sampler, the
 * follower and the admin server on its Unix socket.
 * service: non-blank, at most 63 bytes; characters that are not ASCII letters,
 *          digits, '.', '_' or '-' are shown as '_' in file names.
 *          NULL or blank: the program's own name.
 * opts:    NULL = all defaults. Copied. A bad value is replaced by its
 *          default and named in status; it is no reason to fail.
 * This is the one function that reads the environment: TAILBOX (off, or on,
 * where the file says otherwise), TAILBOX_DIR, TAILBOX_ARTIFACTS,
 * TAILBOX_CONFIG, RUNTIME_DIRECTORY, STATE_DIRECTORY. Of a setting that is said more than once, the environment
 * goes before the file, the file before opts. A file that is wrong is left
 * out as a whole and named in status with line and reason.
 * Run folder: TAILBOX_DIR, the file's, opts->run_dir,
 * $RUNTIME_DIRECTORY/tailbox, else /dev/shm/tailbox-UID. Artifacts:
 * TAILBOX_ARTIFACTS, the file's, opts->artifact_dir, $STATE_DIRECTORY/tailbox,
 * else RUN_FOLDER/artifacts.
 * Never fails the host: returns 0 when it records, else a negative code that
 * says why it does not; the service goes on unrecorded and may ignore it.
 * -EALREADY when started already (the first start stays in force),
 * -ECANCELED when TAILBOX=off or the file says so.
 * Threads: one thread; blocks for some milliseconds. Since 0.1. */
TAILBOX_API int tailbox_start(const char *service,
                              const struct tailbox_options *opts);

/* Stop recording: seals an armed window with reason `shutdown`, writes its
 * artifact, stops our threads, marks the tape closed. Does nothing when not
 * started. Best called after the daemons have stopped: of requests that are
 * under way nothing more is recorded. But daemons may go on serving, and any
 * function of ours may be called, during and after it; also by atexit(). A
 * callback that is running goes on with the memory it has, over any number of
 * stops and starts.
 * Threads: one thread at a time; blocks until the artifact is on disk.
 * Since 0.1. */
TAILBOX_API void tailbox_stop(void);

/* Something is wrong that only the application can see: keep the past. What
 * comes of it is said by [triggers] of tailbox.conf(5); without a file it is a
 * snapshot of the last 10 s and of the second that follows.
 * reason: one line of text for status and artifact, cut to 120 bytes; copied.
 *         NULL or "" = none. Of several within 50 ms one is kept, and all are
 *         counted.
 * Threads: any thread. Does not block, allocate or enter the kernel.
 * Returns 0 (what comes of it is told by status: another trigger may have been
 * first), -ECANCELED when nothing is recorded. Since 0.1. */
TAILBOX_API int tailbox_trigger(const char *reason);

/* 1 when a tape is open and recording is on, else 0. Threads: any thread.
 * Since 0.1. */
TAILBOX_API int tailbox_is_recording(void);

#ifdef __cplusplus
}
#endif

#endif
