/* agent/real.c - the libmicrohttpd that the program brings.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each function of libmicrohttpd that middleware and controller use is defined
 * here, hidden, and goes on to the program's own. Those that the agent exports
 * for the program (agent/interpose.c) cannot have that name twice in one
 * object; for them the linker sends our own calls to __wrap_NAME (--wrap in
 * agent/local.mk). So a function that is used and not listed is an error of the
 * linker, not a process that ends at run time.
 *
 * zlib comes in the same way, privately: a program whose plugins bring a zlib
 * of their own must not find the system's in front of it.
 */
#include "agent/real.h"

#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <microhttpd.h>
#include <zlib.h>

/* 0.9.74 is the first that tells the status a request was answered with. */
#define MHD_OLDEST 74

__thread int tailbox__real_inside;

/* F(result, name, (parameters), (arguments)) */
#define FORWARDED(F)                                                           \
	F(enum MHD_Result, MHD_add_response_header,                            \
	  (struct MHD_Response * r, const char *name, const char *value),      \
	  (r, name, value))                                                    \
	F(struct MHD_Response *, MHD_create_response_from_buffer,              \
	  (size_t size, void *at, enum MHD_ResponseMemoryMode mode),           \
	  (size, at, mode))                                                    \
	F(struct MHD_Response *,                                               \
	  MHD_create_response_from_buffer_with_free_callback,                  \
	  (size_t size, void *at, MHD_ContentReaderFreeCallback done),         \
	  (size, at, done))                                                    \
	F(struct MHD_Response *, MHD_create_response_from_callback,            \
	  (uint64_t size, size_t block, MHD_ContentReaderCallback read,        \
	   void *cls, MHD_ContentReaderFreeCallback done),                     \
	  (size, block, read, cls, done))                                      \
	F(struct MHD_Response *, MHD_create_response_from_fd_at_offset64,      \
	  (uint64_t size, int fd, uint64_t offset), (size, fd, offset))        \
	F(void, MHD_destroy_response, (struct MHD_Response * r), (r))          \
	F(int, MHD_get_connection_values_n,                                    \
	  (struct MHD_Connection * c, enum MHD_ValueKind kind,                 \
	   MHD_KeyValueIteratorN each, void *cls),                             \
	  (c, kind, each, cls))                                                \
	F(const char *, MHD_get_version, (void), ())                           \
	F(const char *, MHD_lookup_connection_value,                           \
	  (struct MHD_Connection * c, enum MHD_ValueKind kind,                 \
	   const char *key),                                                   \
	  (c, kind, key))                                                      \
	F(enum MHD_Result, MHD_lookup_connection_value_n,                      \
	  (struct MHD_Connection * c, enum MHD_ValueKind kind,                 \
	   const char *key, size_t key_size, const char **value,               \
	   size_t *value_size),                                                \
	  (c, kind, key, key_size, value, value_size))                         \
	F(enum MHD_Result, MHD_queue_response,                                 \
	  (struct MHD_Connection * c, unsigned status,                         \
	   struct MHD_Response *r),                                            \
	  (c, status, r))
/* Of those that end in "...": nothing that is asked takes an argument. */
#define ASKED(F)                                                               \
	F(const union MHD_ConnectionInfo *, MHD_get_connection_info,           \
	  (struct MHD_Connection * c, enum MHD_ConnectionInfoType what, ...),  \
	  (c, what))                                                           \
	F(const union MHD_DaemonInfo *, MHD_get_daemon_info,                   \
	  (struct MHD_Daemon * d, enum MHD_DaemonInfoType what, ...),          \
	  (d, what))
/* Exported as well: --wrap. */
#define WRAPPED(F)                                                             \
	F(void, MHD_stop_daemon, (struct MHD_Daemon * d), (d))                 \
	F(void, MHD_suspend_connection, (struct MHD_Connection * c), (c))      \
	F(void, MHD_resume_connection, (struct MHD_Connection * c), (c))
#define OF_ZLIB(F)                                                             \
	F(uLong, crc32_z, (uLong crc, const Bytef *at, z_size_t size),         \
	  (crc, at, size))                                                     \
	F(int, deflate, (z_streamp z, int flush), (z, flush))                  \
	F(int, deflateEnd, (z_streamp z), (z))                                 \
	F(int, deflateInit2_,                                                  \
	  (z_streamp z, int level, int method, int window, int memory,         \
	   int strategy, const char *version, int size),                       \
	  (z, level, method, window, memory, strategy, version, size))

#define POINTER(result, name, parameters, arguments)                           \
	result(*name) parameters;
static struct {
	FORWARDED(POINTER)
	ASKED(POINTER)
	WRAPPED(POINTER)
	OF_ZLIB(POINTER)
	struct MHD_Daemon *(*MHD_start_daemon_va)(
	        unsigned int flags, uint16_t port, MHD_AcceptPolicyCallback apc,
	        void *apc_cls, MHD_AccessHandlerCallback dh, void *dh_cls,
	        va_list ap);
} real;

/* --- our own calls -------------------------------------------------------- */

#define DEFINE(result, name, parameters, arguments)                            \
	result name parameters                                                 \
	{                                                                      \
		return real.name arguments;                                    \
	}
FORWARDED(DEFINE)
ASKED(DEFINE)
OF_ZLIB(DEFINE)

#define DEFINE_WRAP(result, name, parameters, arguments)                       \
	result __wrap_##name parameters;                                       \
	result __wrap_##name parameters                                        \
	{                                                                      \
		tailbox__real_inside++;                                        \
		real.name arguments;                                           \
		tailbox__real_inside--;                                        \
	}
WRAPPED(DEFINE_WRAP)

struct MHD_Daemon *
__wrap_MHD_start_daemon_va(unsigned int flags, uint16_t port,
                           MHD_AcceptPolicyCallback apc, void *apc_cls,
                           MHD_AccessHandlerCallback dh, void *dh_cls,
                           va_list ap);
struct MHD_Daemon *
__wrap_MHD_start_daemon_va(unsigned int flags, uint16_t port,
                           MHD_AcceptPolicyCallback apc, void *apc_cls,
                           MHD_AccessHandlerCallback dh, void *dh_cls,
                           va_list ap)
{
	struct MHD_Daemon *d;

	tailbox__real_inside++;
	d = real.MHD_start_daemon_va(flags, port, apc, apc_cls, dh, dh_cls, ap);
	tailbox__real_inside--;
	return d;
}

struct MHD_Daemon *
__wrap_MHD_start_daemon(unsigned int flags, uint16_t port,
                        MHD_AcceptPolicyCallback apc, void *apc_cls,
                        MHD_AccessHandlerCallback dh, void *dh_cls, ...);
struct MHD_Daemon *
__wrap_MHD_start_daemon(unsigned int flags, uint16_t port,
                        MHD_AcceptPolicyCallback apc, void *apc_cls,
                        MHD_AccessHandlerCallback dh, void *dh_cls, ...)
{
	struct MHD_Daemon *d;
	va_list ap;

	va_start(ap, dh_cls);
	d = __wrap_MHD_start_daemon_va(flags, port, apc, apc_cls, dh, dh_cls,
	                               ap);
	va_end(ap);
	return d;
}

/* --- finding them --------------------------------------------------------- */

/* The object that holds an address, held; NULL for none, and for the program
 * itself: what that defines, it calls without us. */
static void *object_of(const void *address)
{
	struct link_map *map = NULL;
	Dl_info info;

	if (address == NULL || dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ||
	    map == NULL || map->l_name[0] == '\0')
		return NULL;
	return dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
}

/* In the global scope it is the same for every caller. It is held from then
 * on, so that what is remembered is never an address of what was unloaded. */
static void *in_global_scope(struct tailbox__real *r)
{
	void *found = atomic_load_explicit(&r->at, memory_order_relaxed);

	if (found != NULL)
		return found;
	found = dlsym(RTLD_NEXT, r->name);
	if (found != NULL && object_of(found) != NULL)
		atomic_store_explicit(&r->at, found, memory_order_relaxed);
	return found;
}

void *tailbox__real_of(struct tailbox__real *r, const void *caller)
{
	void *found = in_global_scope(r), *object;

	if (found != NULL)
		return found;
	object = object_of(caller);
	if (object == NULL)
		return NULL;
	found = dlsym(object, r->name);
	dlclose(object); /* what the caller calls is there as long as it is */
	return found;
}

static bool is_old(const char *version)
{
	unsigned major = 0, minor = 0, patch = 0;

	if (sscanf(version, "%u.%u.%u", &major, &minor, &patch) < 2)
		return false; /* unknown is not old */
	return major == 0 && (minor < 9 || (minor == 9 && patch < MHD_OLDEST));
}

static bool take_zlib(const char **missing)
{
	void *z = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);

	*missing = "libz.so.1";
	if (z == NULL)
		return false;
#define TAKE_Z(result, name, parameters, arguments)                            \
	*missing = #name;                                                      \
	if ((real.name = dlsym(z, #name)) == NULL)                             \
		return false;
	OF_ZLIB(TAKE_Z)
	return true;
}

/* From the object that defines MHD_start_daemon_va: all from one library. */
static bool take_all(void *mhd, const char **missing)
{
#define TAKE(result, name, parameters, arguments)                              \
	*missing = #name;                                                      \
	if ((real.name = dlsym(mhd, #name)) == NULL)                           \
		return false;
	FORWARDED(TAKE)
	ASKED(TAKE)
	WRAPPED(TAKE)
	return take_zlib(missing);
}

static struct tailbox__real start_va = { .name = "MHD_start_daemon_va" };
static struct tailbox__real version_of = { .name = "MHD_get_version" };
static _Atomic bool are_several;

bool tailbox__real_take(const void *caller, char *why, size_t size)
{
	const char *missing = start_va.name;
	/* Before anything else is asked of it: an old one lacks more. */
	const char *(*version)(void) = tailbox__real_of(&version_of, caller);
	void *mhd;

	if (version != NULL && is_old(version())) {
		snprintf(why, size,
		         "libmicrohttpd %s is too old, 0.9.%d or newer is "
		         "needed", version(), MHD_OLDEST);
		return false;
	}
	real.MHD_start_daemon_va = tailbox__real_of(&start_va, caller);
	/* Never given back: our admin server runs in it. */
	mhd = object_of((void *)real.MHD_start_daemon_va);
	if (mhd != NULL && take_all(mhd, &missing))
		return true;
	snprintf(why, size, "%s is missing in what the program loads", missing);
	return false;
}

bool tailbox__real_is_taken(const void *caller)
{
	if (tailbox__real_of(&start_va, caller) ==
	    (void *)real.MHD_start_daemon_va)
		return true;
	atomic_store_explicit(&are_several, true, memory_order_relaxed);
	return false;
}

bool tailbox__real_may_take(const void *caller)
{
	return !atomic_load_explicit(&are_several, memory_order_relaxed) ||
	       tailbox__real_is_taken(caller);
}
