/* controller/admin_internal.h - what the files of the admin server share.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each daemon of the admin server has one thread, and a mounted form runs on
 * threads of the application. What they share is guarded: the look at the
 * tape by a lock around the two calls that take one (admin.c), artifacts in
 * memory by admin_load.c, sessions by admin_token.c, connections by
 * admin_guard.c. The rest is written before they start.
 */
#ifndef TAILBOX_CONTROLLER_ADMIN_INTERNAL_H
#define TAILBOX_CONTROLLER_ADMIN_INTERNAL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "controller/admin.h"
#include "controller/admin_token.h"
#include "controller/controller.h"
#include "core/json.h"
#include "core/reader.h"
#include "core/show.h"

#define TAILBOX__ADMIN_PARAMS_MAX 16u
/* Requests, artifacts: lists are cut here, and say so. */
#define TAILBOX__ADMIN_LIST_MAX 1000u
/* Artifacts under way at one time: connections are left for /status. */
#define TAILBOX__ADMIN_TRANSFERS_MAX 4u

struct tailbox__loaded;
struct tailbox__report_made;
struct tailbox__snapshot_asked;

#define TAILBOX__PEER_TEXT 96
/* Headers that artifacts are asked for with. */
#define TAILBOX__COPIED_MAX 4u

/* Where a request came in. */
enum tailbox__via { TAILBOX__VIA_UNIX, TAILBOX__VIA_TCP, TAILBOX__VIA_MOUNT };

/* One HTTP request. Texts belong to MHD and live as long as it. */
struct tailbox__admin_request {
	struct MHD_Connection *connection;
	enum tailbox__via via;
	const char *prefix; /* what was cut off the path; "" */
	bool is_trusted;    /* no token is asked for */
	bool is_known;      /* it has shown the token, or */
	bool is_by_session; /* a session */
	bool is_refused;    /* its answer is tailbox__admin_refuse() */
	bool takes_body;    /* it is kept in `body` */
	char *body;
	/* On another thread than the connection's (admin_mount.c): it has no
	 * connection, but copies, and leaves its response here. */
	bool is_job;
	struct {
		const char *name, *value;
	} headers[TAILBOX__COPIED_MAX];
	char peer[TAILBOX__PEER_TEXT];
	struct MHD_Response *response;
	unsigned status;
	const char *id; /* what stands behind "/artifacts/" */
	bool is_head;
	bool as_text;
	bool is_transfer;
	struct tailbox__loaded *loaded; /* a run that it uses; NULL = none */
	struct tailbox__report_made *report; /* that it waits for, or has */
	struct tailbox__snapshot_asked *snapshot; /* the same */
	uint64_t body_bytes;
	uint32_t param_count;
	struct {
		const char *name, *value;
	} params[TAILBOX__ADMIN_PARAMS_MAX];
};

/* What TCP and mounted forms ask for. Written before they start. */
struct tailbox__admin_remote {
	struct tailbox__token token;
	struct tailbox__config_list allow_hosts;
	uint16_t port; /* of TCP; 0 = none */
};
extern struct tailbox__admin_remote tailbox__admin_remote;

extern const struct tailbox__admin_facts *tailbox__admin_facts;
/* "SERVICE.PID.sock" */
const char *tailbox__admin_socket_name(void);

/* --- admin_socket.c ---------------------------------------------------- */

/* Listen on dirfd/name (dir: its path), mode 0600; a socket that nobody
 * listens on is replaced. Descriptor or -errno. */
int tailbox__admin_listen(int dirfd, const char *dir, const char *name,
                          struct tailbox__error *err);

/* --- admin_routes.c ---------------------------------------------------- */

#define TAILBOX__ADMIN_BODY_MAX 4096u /* bytes that are read of a body */

typedef enum MHD_Result tailbox__admin_call(struct tailbox__admin_request *q);
/* The call that is meant, its parameters read; NULL: there is none, *sent is
 * what the callback returns. *waits: it may wait for a disk. */
tailbox__admin_call *tailbox__admin_find(struct tailbox__admin_request *q,
                                         const char *path, const char *method,
                                         bool *waits, enum MHD_Result *sent);
/* Make it, under the lock that it needs. */
enum MHD_Result tailbox__admin_answer(struct tailbox__admin_request *q,
                                      tailbox__admin_call *call);
enum MHD_Result tailbox__admin_too_large(struct tailbox__admin_request *q);
void tailbox__admin_routes_in_child(void);

/* --- admin.c: for admin_mount.c ---------------------------------------- */

bool tailbox__admin_has_body(const struct tailbox__admin_request *q);

/* --- admin_mount.c ----------------------------------------------------- */

void tailbox__mount_open(void);
/* Nobody comes in any more, and the last is out. */
void tailbox__mount_close(void);

/* --- admin_file.c ------------------------------------------------------ */

/* A part of a file as response of a job, read once already. fd: taken, also on
 * failure. 0, -EBUSY, -ENOMEM, -EIO. */
int tailbox__admin_file(int fd, uint64_t first, uint64_t count,
                        struct MHD_Response **out);
void tailbox__admin_file_in_child(void);

/* --- admin_tcp.c ------------------------------------------------------- */

#define TAILBOX__TCP_TEXT 64u

struct tailbox__tcp_address {
	struct sockaddr_storage addr;
	socklen_t len;
};
/* "127.0.0.1:9180", "[::1]:0", ":9180" and "9180" (loopback). 0 or -EINVAL. */
int tailbox__tcp_address(const char *text, struct tailbox__tcp_address *a,
                         struct tailbox__error *err);
/* Listen there. text, *port: where it does. Descriptor or -errno. */
int tailbox__tcp_listen(const char *listen, char text[TAILBOX__TCP_TEXT],
                        uint16_t *port, struct tailbox__error *err);

/* --- admin_access.c ---------------------------------------------------- */

/* Whether a request of TCP or of a mounted form goes on; else *sent is what
 * the callback returns. path: without prefix. */
bool tailbox__admin_may(struct tailbox__admin_request *q, const char *method,
                        const char *path, enum MHD_Result *sent);
/* Answer a wrong token, now or (the connection is suspended) later; the
 * latter by tailbox__admin_refuse(). */
enum MHD_Result tailbox__admin_wrong_token(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_refuse(struct tailbox__admin_request *q);
bool tailbox__admin_is_token(const char *text, size_t len);
/* The session's cookie, NULL = none. */
const char *tailbox__admin_session(const struct tailbox__admin_request *q);
/* Whether a Host header is loopback or the local address, with this port; is
 * in a list; whether an Origin is of that Host. */
bool tailbox__admin_is_host(const char *text, const char *local, uint16_t port);
bool tailbox__admin_is_allowed_host(const struct tailbox__config_list *allowed,
                                    const char *text);
bool tailbox__admin_is_origin(const char *origin, const char *host);

/* --- admin_session.c --------------------------------------------------- */

/* The token of a body. text: TAILBOX__TOKEN_MAX + 1 bytes, no NUL behind; a
 * longer one fills it. False: not that syntax. */
bool tailbox__session_form(const char *p, const char *end, char *text,
                           size_t *len);
bool tailbox__session_json(const char *p, const char *end, char *text,
                           size_t *len);

/* --- admin_params.c ---------------------------------------------------- */

/* Take the query apart. NULL, or what is wrong with it (static storage):
 * `name` and `value` then say where. allowed: names, NULL-terminated. */
const char *tailbox__admin_params(struct tailbox__admin_request *q,
                                  const char *const *allowed,
                                  const char **name);
/* NULL when it was not given. */
const char *tailbox__admin_param(const struct tailbox__admin_request *q,
                                 const char *name);
/* Decimal digits, min..max. */
bool tailbox__admin_count(const char *text, uint64_t min, uint64_t max,
                          uint64_t *out);
/* Digits and a unit: ms, s, m, h. min..max in ms. */
bool tailbox__admin_duration(const char *text, uint64_t min_ms,
                             uint64_t max_ms, uint64_t *out);
/* Whether an Accept-Encoding header (NULL = none) prefers gzip. */
bool tailbox__admin_wants_gzip(const char *header);
/* Whether an If-None-Match header (NULL = none) has the tag, with its
 * quotes; weak tags match too. */
bool tailbox__admin_has_tag(const char *header, const char *tag);
/* A Range header (NULL = none) over `size` bytes: 1 = *first and *count say
 * which part, 0 = the whole (none, several, not understood), -1 = none of it
 * is there. */
int tailbox__admin_range(const char *header, uint64_t size, uint64_t *first,
                         uint64_t *count);

/* The value of a header, NULL = none. */
const char *tailbox__admin_header(const struct tailbox__admin_request *q,
                                  const char *name);

/* --- admin_reply.c ----------------------------------------------------- */

/* Queue a response and let go of it; NULL fails the connection. */
enum MHD_Result tailbox__admin_send(struct tailbox__admin_request *q,
                                    unsigned status, struct MHD_Response *r);
/* A response of finished JSON, for those who add headers to it. */
struct MHD_Response *tailbox__admin_of_json(struct tailbox__json *j);
/* Answer with finished JSON / text; the writer is as after _fini. */
enum MHD_Result tailbox__admin_send_json(struct tailbox__admin_request *q,
                                         unsigned status,
                                         struct tailbox__json *j);
struct tailbox__text;
enum MHD_Result tailbox__admin_send_text(struct tailbox__admin_request *q,
                                         unsigned status,
                                         struct tailbox__text *t);
/* {"error": code, "detail": ...} or a line of text. */
enum MHD_Result tailbox__admin_error(struct tailbox__admin_request *q,
                                     unsigned status, const char *code,
                                     const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
/* The same with a further header; and with the number of a window. */
enum MHD_Result tailbox__admin_error_header(struct tailbox__admin_request *q,
                                            unsigned status, const char *code,
                                            const char *header,
                                            const char *value,
                                            const char *detail);
enum MHD_Result tailbox__admin_error_id(struct tailbox__admin_request *q,
                                        unsigned status, const char *code,
                                        const char *detail, uint64_t id);

/* Members of an object; TAILBOX__NONE, NULL and "" are null. */
void tailbox__admin_put_u64(struct tailbox__json *j, const char *key,
                            uint64_t value);
void tailbox__admin_put_text(struct tailbox__json *j, const char *key,
                             const char *value);
void tailbox__admin_put_bool(struct tailbox__json *j, const char *key,
                             bool value);
/* 0 where it means "not known". */
static inline uint64_t tailbox__admin_or_none(uint64_t v)
{
	return v ? v : TAILBOX__NONE;
}
/* Thousandths as a decimal fraction. */
void tailbox__admin_put_milli(struct tailbox__json *j, const char *key,
                              uint64_t value);

/* --- admin_text.c: text that grows ------------------------------------- */

struct tailbox__text {
	char *buf;
	size_t len, room;
	bool has_failed; /* out of memory: what follows does nothing */
};
#define TAILBOX__TEXT_INIT { NULL, 0, 0, false }

void tailbox__text_add(struct tailbox__text *t, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
/* Append rows whose cells end in tabs and lines in newlines as columns. A
 * cell of the first row that begins with '>' sets its column flush right. */
void tailbox__text_table(struct tailbox__text *t,
                         const struct tailbox__text *rows);
void tailbox__text_fini(struct tailbox__text *t);

/* A number with its unit, for people; NONE is "-". Returned: buf. (Sizes:
 * core/show.h.) */
#define TAILBOX__UNIT_TEXT TAILBOX__SHOW_ROOM
const char *tailbox__text_us(char buf[TAILBOX__UNIT_TEXT], uint64_t us);
/* "2025-11-20 03:12:41 UTC" */
const char *tailbox__text_time(char buf[TAILBOX__UNIT_TEXT], uint64_t ms);

/* --- admin_look.c: what the tape says now ------------------------------ */

/* The reader of our own tape, refreshed; NULL: not recorded or no memory. */
struct tailbox__reader *tailbox__admin_reader(void);
void tailbox__admin_reader_close(void);
void tailbox__admin_reader_in_child(void);

/* --- the calls --------------------------------------------------------- */

enum MHD_Result tailbox__admin_index(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_health(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_status(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_requests(struct tailbox__admin_request *q);
/* admin_kept.c: the same call with kept=1. */
enum MHD_Result tailbox__admin_kept(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_workers(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_arm(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_disarm(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_config(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_reload(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_artifacts(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_artifact(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_delete(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_session_begin(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_session_end(struct tailbox__admin_request *q);
enum MHD_Result tailbox__admin_pin(struct tailbox__admin_request *q);

enum MHD_Result tailbox__admin_recorder(struct tailbox__admin_request *q);

/* --- admin_peer.c, admin_switch.c --------------------------------------- */

/* Who sent it: "unix uid 0 pid 7", "tcp 127.0.0.1:40000". */
void tailbox__admin_peer(const struct tailbox__admin_request *q,
                         char out[TAILBOX__PEER_TEXT]);
/* Members of an object: who switched, when and how often. */
void tailbox__admin_put_switch(struct tailbox__json *j,
                               const struct tailbox__switch_status *s);

enum MHD_Result tailbox__admin_snapshot(struct tailbox__admin_request *q);

/* --- admin_snapshot.c --------------------------------------------------- */

/* The request of a snapshot ended; NULL allowed. */
void tailbox__admin_snapshot_release(struct tailbox__snapshot_asked *s);
void tailbox__admin_snapshot_open(void);
/* Waits for one that is being made; after it nothing is suspended for one. */
void tailbox__admin_snapshot_close(void);
void tailbox__admin_snapshot_in_child(void);

/* --- admin_window.c ---------------------------------------------------- */

/* What the query says of a window, over the settings; else the answer is
 * sent. */
bool tailbox__admin_activation(struct tailbox__admin_request *q,
                               struct tailbox__activation *a,
                               enum MHD_Result *sent);
/* Whether the controller runs; else the answer is sent. */
bool tailbox__admin_has_windows(struct tailbox__admin_request *q,
                                enum MHD_Result *sent);

/* --- admin_load.c ------------------------------------------------------ */

/* Count the request as a transfer until it ends; false when there are too
 * many. */
bool tailbox__admin_transfer(struct tailbox__admin_request *q);
/* The request ended: neither a transfer nor a user of a run any more. */
void tailbox__admin_transfer_end(struct tailbox__admin_request *q);
/* Before the server starts; before it stops: waits for what is loading. */
void tailbox__admin_load_open(void);
void tailbox__admin_load_close(void);
void tailbox__admin_load_in_child(void);

#endif
