/* middleware/drop_in.c - what the macros of tailbox/mhd_drop_in.h call.
 *
 * SPDX-License-Identifier: MIT
 *
 * The sources know nothing of tailbox, so the first daemon starts it and
 * exit() stops it; daemons may still serve then. Where the application has
 * started tailbox itself, the start here says so, and the stop is its own.
 */
#include <tailbox/mhd.h>

#include <stdlib.h>

struct MHD_Daemon *tailbox_drop_in_start_daemon_va(
        unsigned int flags, uint16_t port, MHD_AcceptPolicyCallback apc,
        void *apc_cls, MHD_AccessHandlerCallback dh, void *dh_cls, va_list ap)
{
	/* Without room for the handler the tape says `exited` all the same. */
	if (tailbox_start(NULL, NULL) == 0)
		(void)atexit(tailbox_stop);
	return tailbox_mhd_start_daemon_va(flags, port, apc, apc_cls, dh,
	                                   dh_cls, ap);
}

struct MHD_Daemon *
tailbox_drop_in_start_daemon(unsigned int flags, uint16_t port,
                             MHD_AcceptPolicyCallback apc, void *apc_cls,
                             MHD_AccessHandlerCallback dh, void *dh_cls, ...)
{
	struct MHD_Daemon *d;
	va_list ap;

	va_start(ap, dh_cls);
	d = tailbox_drop_in_start_daemon_va(flags, port, apc, apc_cls, dh,
	                                    dh_cls, ap);
	va_end(ap);
	return d;
}
