/* tailbox/mhd.h - record a libmicrohttpd daemon.
 *
 * SPDX-License-Identifier: MIT
 *
 * The whole of the smallest adoption:
 *
 *     tailbox_start("shop", NULL);
 *     d = tailbox_mhd_start_daemon(FLAGS, 8888, NULL, NULL, &answer, NULL,
 *                                  MHD_OPTION_END);
 *     ...
 *     tailbox_mhd_stop_daemon(d);
 *     tailbox_stop();
 *
 * The application's callbacks, *req_cls, socket_context and upgrade handlers
 * see the same calls in the same order with the same arguments as without
 * us. MHD_stop_daemon and MHD_quiesce_daemon may be called directly as well.
 */
#ifndef TAILBOX_MHD_H
#define TAILBOX_MHD_H 1

#include <stdarg.h>

#include <microhttpd.h>

#include <tailbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As MHD_start_daemon / _va, recorded. Options that this library does not
 * know: MHD gets the untouched arguments, the daemon runs unrecorded and
 * status names the option. Also unrecorded when tailbox is off or not
 * started: then this is MHD_start_daemon_va and nothing else.
 * Returns what MHD returns. Threads: any thread. Since 0.1. */
TAILBOX_API struct MHD_Daemon *
tailbox_mhd_start_daemon(unsigned int flags, uint16_t port,
                         MHD_AcceptPolicyCallback apc, void *apc_cls,
                         MHD_AccessHandlerCallback dh, void *dh_cls, ...);
TAILBOX_API struct MHD_Daemon *
tailbox_mhd_start_daemon_va(unsigned int flags, uint16_t port,
                            MHD_AcceptPolicyCallback apc, void *apc_cls,
                            MHD_AccessHandlerCallback dh, void *dh_cls,
                            va_list ap);

/* The same with the options in an array that ends with MHD_OPTION_END; NULL
 * means no options. The array may go away after the call. Since 0.1. */
TAILBOX_API struct MHD_Daemon *
tailbox_mhd_start_daemon_array(unsigned int flags, uint16_t port,
                               MHD_AcceptPolicyCallback apc, void *apc_cls,
                               MHD_AccessHandlerCallback dh, void *dh_cls,
                               const struct MHD_OptionItem *options);

/* What MHD_start_daemon and _va become by <tailbox/mhd_drop_in.h>: as the two
 * above, after a tailbox_start(NULL, NULL) that does nothing when it was called
 * before; where this is the first call, tailbox_stop() runs by atexit().
 * Threads: any thread. Since 0.1. */
TAILBOX_API struct MHD_Daemon *
tailbox_drop_in_start_daemon(unsigned int flags, uint16_t port,
                             MHD_AcceptPolicyCallback apc, void *apc_cls,
                             MHD_AccessHandlerCallback dh, void *dh_cls, ...);
TAILBOX_API struct MHD_Daemon *
tailbox_drop_in_start_daemon_va(unsigned int flags, uint16_t port,
                                MHD_AcceptPolicyCallback apc, void *apc_cls,
                                MHD_AccessHandlerCallback dh, void *dh_cls,
                                va_list ap);

/* As MHD_stop_daemon; also frees what the start above made. NULL does
 * nothing. Threads: as MHD_stop_daemon. Since 0.1. */
TAILBOX_API void tailbox_mhd_stop_daemon(struct MHD_Daemon *daemon);

/* As MHD_suspend_connection / MHD_resume_connection, and the time suspended
 * and the delay until the handler runs again become phases of the request.
 * Threads: as MHD's. Since 0.1. */
TAILBOX_API void tailbox_mhd_suspend_connection(struct MHD_Connection *c);
TAILBOX_API void tailbox_mhd_resume_connection(struct MHD_Connection *c);

/* As MHD_create_response_from_callback, and the time that the worker spends in
 * `crc` is seen: each call of 1 ms or more is a hold of the worker, and the sum
 * of all calls for a request is its reader time, a part of its phase `send`.
 * All arguments and what `crc` returns mean what they do to MHD; block_size is
 * in bytes, size too or MHD_SIZE_UNKNOWN; NULL for crfc is none. The server
 * does not say for which request it calls. That is known with a thread for
 * each connection, and else where the response was queued by
 * tailbox_mhd_queue_response() and for one request at a time; where it is not,
 * the reader time of the requests is unknown. Without a running recorder
 * (tailbox_start() not called, or off), or out of memory, this is MHD's call
 * and nothing else. Allocates once, which MHD_destroy_response gives back.
 * Returns a response that is the caller's until MHD_destroy_response, or NULL
 * where MHD does. Do not call it for a `crc` whose closure is changed behind
 * the response, as MHD does for its own of MHD_create_response_from_fd.
 * Threads: any thread. Since 0.1. */
TAILBOX_API struct MHD_Response *tailbox_mhd_create_response_from_callback(
        uint64_t size, size_t block_size, MHD_ContentReaderCallback crc,
        void *crc_cls, MHD_ContentReaderFreeCallback crfc);

/* As MHD_queue_response, for any response; of one of the above it says which
 * request it is for. Returns what MHD returns. Threads: as MHD's: a callback of
 * MHD for that connection, or any thread while it is suspended. Since 0.1. */
TAILBOX_API enum MHD_Result
tailbox_mhd_queue_response(struct MHD_Connection *c, unsigned int status,
                           struct MHD_Response *response);

/* The request that is being served on a connection, NULL when there is none
 * or it is not recorded. Call it from a callback of MHD for that connection,
 * and hand the result over to whom works on the request. Since 0.1. */
TAILBOX_API tailbox_request tailbox_request_of(struct MHD_Connection *c);

#ifdef __cplusplus
}
#endif
#endif
