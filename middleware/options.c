/* middleware/options.c - take a daemon's options apart.
 *
 * SPDX-License-Identifier: MIT
 *
 * A va_list cannot be added to, so the options are walked into an array of
 * items, which the server library takes as one MHD_OPTION_ARRAY. The walk has
 * to know the C type of each option's arguments: one wrong type and every
 * later option is garbage. So an option that is not in the table ends the
 * walk, and the caller hands the untouched arguments on.
 *
 * The table has all options of libmicrohttpd 0.9.75 (0 to 34) and 1.0 (35 to
 * 42). The latter stand here as plain numbers: a tailbox that was built with
 * the headers of 0.9.75 meets them when a program built with 1.0 loads it.
 *
 * How an item of an array carries its arguments: an integer in value; a
 * pointer in ptr_value; function and closure, or size and pointer, in value
 * and ptr_value, in that order.
 */
#include "middleware/options.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "core/alloc.h"

enum kind {
	KIND_UNKNOWN, /* not in the table */
	KIND_END,
	KIND_SIZE,     /* size_t */
	KIND_UINT,     /* unsigned int */
	KIND_U32,      /* uint32_t */
	KIND_INT,      /* int, an enum, a socket */
	KIND_PTR,      /* one pointer, to data or a function */
	KIND_FN_CLS,   /* function, closure */
	KIND_SIZE_PTR, /* size_t, pointer */
	KIND_LEN_PTR,  /* socklen_t, pointer */
	KIND_ARRAY     /* struct MHD_OptionItem * */
};

#define LAST_OPTION 42

static const unsigned char kinds[LAST_OPTION + 1] = {
	[MHD_OPTION_END] = KIND_END,
	[MHD_OPTION_CONNECTION_MEMORY_LIMIT] = KIND_SIZE,
	[MHD_OPTION_CONNECTION_LIMIT] = KIND_UINT,
	[MHD_OPTION_CONNECTION_TIMEOUT] = KIND_UINT,
	[MHD_OPTION_NOTIFY_COMPLETED] = KIND_FN_CLS,
	[MHD_OPTION_PER_IP_CONNECTION_LIMIT] = KIND_UINT,
	[MHD_OPTION_SOCK_ADDR] = KIND_PTR,
	[MHD_OPTION_URI_LOG_CALLBACK] = KIND_FN_CLS,
	[MHD_OPTION_HTTPS_MEM_KEY] = KIND_PTR,
	[MHD_OPTION_HTTPS_MEM_CERT] = KIND_PTR,
	[MHD_OPTION_HTTPS_CRED_TYPE] = KIND_INT,
	[MHD_OPTION_HTTPS_PRIORITIES] = KIND_PTR,
	[MHD_OPTION_LISTEN_SOCKET] = KIND_INT,
	[MHD_OPTION_EXTERNAL_LOGGER] = KIND_FN_CLS,
	[MHD_OPTION_THREAD_POOL_SIZE] = KIND_UINT,
	[MHD_OPTION_ARRAY] = KIND_ARRAY,
	[MHD_OPTION_UNESCAPE_CALLBACK] = KIND_FN_CLS,
	[MHD_OPTION_DIGEST_AUTH_RANDOM] = KIND_SIZE_PTR,
	[MHD_OPTION_NONCE_NC_SIZE] = KIND_UINT,
	[MHD_OPTION_THREAD_STACK_SIZE] = KIND_SIZE,
	[MHD_OPTION_HTTPS_MEM_TRUST] = KIND_PTR,
	[MHD_OPTION_CONNECTION_MEMORY_INCREMENT] = KIND_SIZE,
	[MHD_OPTION_HTTPS_CERT_CALLBACK] = KIND_PTR,
	[MHD_OPTION_TCP_FASTOPEN_QUEUE_SIZE] = KIND_UINT,
	[MHD_OPTION_HTTPS_MEM_DHPARAMS] = KIND_PTR,
	[MHD_OPTION_LISTENING_ADDRESS_REUSE] = KIND_UINT,
	[MHD_OPTION_HTTPS_KEY_PASSWORD] = KIND_PTR,
	[MHD_OPTION_NOTIFY_CONNECTION] = KIND_FN_CLS,
	[MHD_OPTION_LISTEN_BACKLOG_SIZE] = KIND_UINT,
	[MHD_OPTION_STRICT_FOR_CLIENT] = KIND_INT,
	[MHD_OPTION_GNUTLS_PSK_CRED_HANDLER] = KIND_FN_CLS,
	[MHD_OPTION_HTTPS_CERT_CALLBACK2] = KIND_PTR,
	[MHD_OPTION_SERVER_INSANITY] = KIND_UINT,
	[MHD_OPTION_SIGPIPE_HANDLED_BY_APP] = KIND_INT,
	[MHD_OPTION_TLS_NO_ALPN] = KIND_INT,
	[35] = KIND_SIZE_PTR, /* DIGEST_AUTH_RANDOM_COPY */
	[36] = KIND_UINT,     /* DIGEST_AUTH_NONCE_BIND_TYPE */
	[37] = KIND_PTR,      /* HTTPS_PRIORITIES_APPEND */
	[38] = KIND_INT,      /* CLIENT_DISCIPLINE_LVL */
	[39] = KIND_INT,      /* APP_FD_SETSIZE */
	[40] = KIND_LEN_PTR,  /* SOCK_ADDR_LEN */
	[41] = KIND_UINT,     /* DIGEST_AUTH_DEFAULT_NONCE_TIMEOUT */
	[42] = KIND_U32,      /* DIGEST_AUTH_DEFAULT_MAX_NC */
};

static enum kind kind_of(int option)
{
	if (option < 0 || option > LAST_OPTION)
		return KIND_UNKNOWN;
	return (enum kind)kinds[option];
}

/* Read the arguments of one option. By pointer to the va_list, so that the
 * caller's list advances. */
static int read_args(enum kind kind, va_list *ap, struct MHD_OptionItem *it)
{
	switch (kind) {
	case KIND_SIZE:
		it->value = (intptr_t)va_arg(*ap, size_t);
		return 0;
	case KIND_UINT:
		it->value = (intptr_t)va_arg(*ap, unsigned int);
		return 0;
	case KIND_U32:
		it->value = (intptr_t)va_arg(*ap, uint32_t);
		return 0;
	case KIND_INT:
		it->value = (intptr_t)va_arg(*ap, int);
		return 0;
	case KIND_ARRAY:
	case KIND_PTR:
		it->ptr_value = va_arg(*ap, void *);
		return 0;
	case KIND_FN_CLS:
		it->value = (intptr_t)va_arg(*ap, void *);
		it->ptr_value = va_arg(*ap, void *);
		return 0;
	case KIND_SIZE_PTR:
		it->value = (intptr_t)va_arg(*ap, size_t);
		it->ptr_value = va_arg(*ap, void *);
		return 0;
	case KIND_LEN_PTR:
		it->value = (intptr_t)va_arg(*ap, socklen_t);
		it->ptr_value = va_arg(*ap, void *);
		return 0;
	case KIND_END:
	case KIND_UNKNOWN:
		break;
	}
	return -ENOTSUP;
}

static void end_items(struct tailbox__options *o)
{
	struct MHD_OptionItem end = { MHD_OPTION_END, 0, NULL };
	o->items[o->count] = end;
}

/* Make room for one more item, the spare ones and the end. */
static int make_room(struct tailbox__options *o)
{
	if (o->count + 1 + TAILBOX__OPTIONS_SPARE < o->room)
		return 0;
	size_t room = o->room ? 2 * o->room : 32;
	void *p = tailbox__realloc(o->items, room, sizeof(*o->items));
	if (p == NULL)
		return -ENOMEM;
	o->items = p;
	o->room = room;
	end_items(o);
	return 0;
}

/* The wrapper's three are taken out: the last of each counts. */
static bool take_out(struct tailbox__options *o,
                     const struct MHD_OptionItem *it)
{
	switch ((int)it->option) {
	case MHD_OPTION_NOTIFY_COMPLETED:
		o->completed = (MHD_RequestCompletedCallback)it->value;
		o->completed_cls = it->ptr_value;
		return true;
	case MHD_OPTION_NOTIFY_CONNECTION:
		o->connection = (MHD_NotifyConnectionCallback)it->value;
		o->connection_cls = it->ptr_value;
		return true;
	case MHD_OPTION_URI_LOG_CALLBACK:
		o->uri_log = (tailbox__uri_log_fn)it->value;
		o->uri_log_cls = it->ptr_value;
		return true;
	}
	return false;
}

static void note_fact(struct tailbox__options *o,
                      const struct MHD_OptionItem *it)
{
	switch ((int)it->option) {
	case MHD_OPTION_CONNECTION_MEMORY_LIMIT:
		o->memory_limit = (size_t)it->value;
		break;
	case MHD_OPTION_CONNECTION_LIMIT:
		o->connection_limit = (unsigned)it->value;
		break;
	case MHD_OPTION_CONNECTION_TIMEOUT:
		o->timeout_s = (unsigned)it->value;
		break;
	case MHD_OPTION_THREAD_POOL_SIZE:
		o->pool_size = (unsigned)it->value;
		break;
	case MHD_OPTION_LISTEN_BACKLOG_SIZE:
		o->backlog = (unsigned)it->value;
		break;
	}
}

static int add_array(struct tailbox__options *o,
                     const struct MHD_OptionItem *array, int depth);

static int add_item(struct tailbox__options *o,
                    const struct MHD_OptionItem *it, int depth)
{
	if (kind_of((int)it->option) == KIND_UNKNOWN) {
		o->unknown = (int)it->option;
		return -ENOTSUP;
	}
	if (it->option == MHD_OPTION_ARRAY)
		return add_array(o, it->ptr_value, depth + 1);
	if (take_out(o, it))
		return 0;
	int rc = make_room(o);
	if (rc < 0)
		return rc;
	note_fact(o, it);
	o->items[o->count++] = *it;
	end_items(o);
	return 0;
}

static int add_array(struct tailbox__options *o,
                     const struct MHD_OptionItem *array, int depth)
{
	if (depth > TAILBOX__OPTIONS_DEPTH_MAX) {
		o->unknown = MHD_OPTION_ARRAY;
		return -ENOTSUP;
	}
	for (; array->option != MHD_OPTION_END; array++) {
		int rc = add_item(o, array, depth);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int tailbox__options_from_va(struct tailbox__options *o, va_list *ap)
{
	memset(o, 0, sizeof(*o));
	int rc = make_room(o);
	while (rc == 0) {
		struct MHD_OptionItem it = { MHD_OPTION_END, 0, NULL };
		int option = va_arg(*ap, int);
		if (option == MHD_OPTION_END)
			return 0;
		/* The numbers of 1.0 are no enumerators of this header. */
		memcpy(&it.option, &option, sizeof(option));
		if (kind_of(option) != KIND_UNKNOWN)
			read_args(kind_of(option), ap, &it);
		rc = add_item(o, &it, 0);
	}
	return rc;
}

int tailbox__options_from_array(struct tailbox__options *o,
                                const struct MHD_OptionItem *array)
{
	memset(o, 0, sizeof(*o));
	int rc = make_room(o);
	if (rc < 0 || array == NULL)
		return rc;
	return add_array(o, array, 1);
}

void tailbox__options_append(struct tailbox__options *o, int option,
                             intptr_t value, void *ptr_value)
{
	struct MHD_OptionItem it = { MHD_OPTION_END, value, ptr_value };
	memcpy(&it.option, &option, sizeof(option));
	o->items[o->count++] = it;
	end_items(o);
}

void tailbox__options_fini(struct tailbox__options *o)
{
	tailbox__free(o->items);
	o->items = NULL;
	o->count = o->room = 0;
}
