/* agent/interpose.c - what the program calls in place of libmicrohttpd.
 *
 * SPDX-License-Identifier: MIT
 *
 * Being in the preload list, these are found before the library's. A program
 * that opens libmicrohttpd with dlopen() and takes MHD_start_daemon by dlsym()
 * is met a step later: the library's MHD_start_daemon calls its own
 * MHD_start_daemon_va through the table that we are in front of, unless it was
 * linked with -Bsymbolic, or opened with RTLD_DEEPBIND.
 *
 * What is not recorded goes to the function that the caller would have reached
 * without us, whatever else is loaded.
 */
#include <stdarg.h>

#include <tailbox/mhd.h>

#include "agent/agent.h"
#include "agent/real.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct MHD_Daemon *(*start_fn)(unsigned int flags, uint16_t port,
                                       MHD_AcceptPolicyCallback apc,
                                       void *apc_cls,
                                       MHD_AccessHandlerCallback dh,
                                       void *dh_cls, va_list ap);

static struct MHD_Daemon *start(const void *caller, unsigned int flags,
                                uint16_t port, MHD_AcceptPolicyCallback apc,
                                void *apc_cls, MHD_AccessHandlerCallback dh,
                                void *dh_cls, va_list ap)
{
	static struct tailbox__real real = { .name = "MHD_start_daemon_va" };
	start_fn plain;

	if (tailbox__real_inside == 0 && tailbox__agent_attach(caller))
		return tailbox_mhd_start_daemon_va(flags, port, apc, apc_cls,
		                                   dh, dh_cls, ap);
	/* NULL: of a library that is not there, a program that asks for the
	 * address of its functions finds only ours. */
	plain = (start_fn)tailbox__real_of(&real, caller);
	return plain == NULL ? NULL
	                     : plain(flags, port, apc, apc_cls, dh, dh_cls, ap);
}

EXPORT struct MHD_Daemon *
MHD_start_daemon(unsigned int flags, uint16_t port,
                 MHD_AcceptPolicyCallback apc, void *apc_cls,
                 MHD_AccessHandlerCallback dh, void *dh_cls, ...)
{
	struct MHD_Daemon *d;
	va_list ap;

	va_start(ap, dh_cls);
	d = start(__builtin_return_address(0), flags, port, apc, apc_cls, dh,
	          dh_cls, ap);
	va_end(ap);
	return d;
}

EXPORT struct MHD_Daemon *
MHD_start_daemon_va(unsigned int flags, uint16_t port,
                    MHD_AcceptPolicyCallback apc, void *apc_cls,
                    MHD_AccessHandlerCallback dh, void *dh_cls, va_list ap)
{
	return start(__builtin_return_address(0), flags, port, apc, apc_cls,
	             dh, dh_cls, ap);
}

/* A daemon, or a connection, of a library that was not taken must not get into
 * the hands of the one that was. */
static bool is_ours(const void *caller)
{
	return tailbox__real_inside == 0 && tailbox__agent_is_attached() &&
	       tailbox__real_may_take(caller);
}

EXPORT void MHD_stop_daemon(struct MHD_Daemon *daemon)
{
	static struct tailbox__real real = { .name = "MHD_stop_daemon" };
	const void *caller = __builtin_return_address(0);
	void (*plain)(struct MHD_Daemon *);

	if (is_ours(caller))
		tailbox_mhd_stop_daemon(daemon);
	else if ((plain = tailbox__real_of(&real, caller)) != NULL)
		plain(daemon);
}

EXPORT void MHD_suspend_connection(struct MHD_Connection *c)
{
	static struct tailbox__real real = { .name = "MHD_suspend_connection" };
	const void *caller = __builtin_return_address(0);
	void (*plain)(struct MHD_Connection *);

	if (is_ours(caller))
		tailbox_mhd_suspend_connection(c);
	else if ((plain = tailbox__real_of(&real, caller)) != NULL)
		plain(c);
}

EXPORT void MHD_resume_connection(struct MHD_Connection *c)
{
	static struct tailbox__real real = { .name = "MHD_resume_connection" };
	const void *caller = __builtin_return_address(0);
	void (*plain)(struct MHD_Connection *);

	if (is_ours(caller))
		tailbox_mhd_resume_connection(c);
	else if ((plain = tailbox__real_of(&real, caller)) != NULL)
		plain(c);
}
