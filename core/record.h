/* core/record.h - the layout of the tape: what every reader and writer shares.
 *
 * SPDX-License-Identifier: MIT
 *
 * One file: header, names, threads, open slots, blocks; offsets are in the
 * header. Everything a reader may see while it changes is a 64-, 32- or
 * 16-bit atomic word: relaxed stores, and a release store where something is
 * published. Times are ticks of core/clock.h.
 *
 * Blocks. The writer takes a ticket T from header.next_ticket; the block is
 * number T mod blocks_max. It moves block.head from {older ticket, not
 * active} to {T, active, kind} by one compare-and-swap; a block that is still
 * active is skipped, and that ticket with it. Records are stored after the
 * head and published by block.pub = T << 16 | units; what else the block's
 * first line says is stored before pub names T. So a reader that reads
 * head, pub, records and then finds the same head again has good records; a
 * head that changed means that what it read may be overwritten and is lost.
 */
#ifndef TAILBOX_CORE_RECORD_H
#define TAILBOX_CORE_RECORD_H 1

#include <stdatomic.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the tape is little endian; no big-endian machine was there to test on"
#endif

/* "TBXTAPE1" */
#define TAILBOX__TAPE_MAGIC 0x3145504154584254ull
#define TAILBOX__TAPE_VERSION 1u
#define TAILBOX__BYTE_ORDER 0x01020304u
/* Bytes of a block, by the tape's header. Large where there is room, for to
 * claim one takes lines that another processor wrote; small on a small tape,
 * where many threads have to find one each. */
#define TAILBOX__BLOCK_LEAST 4096u
#define TAILBOX__BLOCK_MOST 16384u
/* Two 32-bit or four 16-bit fields as one word. */
#define TAILBOX__WORD(a, b) ((uint64_t)(a) | (uint64_t)(b) << 32)
#define TAILBOX__WORD4(a, b, c, d)                                             \
	((uint64_t)(a) | (uint64_t)(b) << 16 | (uint64_t)(c) << 32 |           \
	 (uint64_t)(d) << 48)

#define TAILBOX__UNIT 32u /* records are counted in units of 32 bytes */

typedef _Atomic uint64_t tailbox__a64;
typedef _Atomic uint32_t tailbox__a32;
typedef _Atomic uint8_t tailbox__a8;
typedef _Atomic uint16_t tailbox__a16;

/* Relaxed is enough wherever these are used: either one thread owns the word
 * or its value is published by a release store that follows. */
#define TAILBOX__GET(x) atomic_load_explicit(&(x), memory_order_relaxed)
#define TAILBOX__SET(x, v)                                                     \
	atomic_store_explicit(&(x), (v), memory_order_relaxed)
/* Add by the one thread that owns the word. */
#define TAILBOX__ADD(x, v) TAILBOX__SET(x, TAILBOX__GET(x) + (v))

enum tailbox__end_state {
	TAILBOX__END_OPEN = 1,   /* without the lock: a crash */
	TAILBOX__END_CLOSED = 2, /* tailbox_stop() */
	TAILBOX__END_EXITED = 3  /* exit() without tailbox_stop() */
};

/* Losses that no thread owns: index into header.losses. Each loss of a
 * writer thread is in its own counters. */
enum tailbox__loss {
	TAILBOX__LOSS_NAMES,       /* mapped to "{other}" */
	TAILBOX__LOSS_THREADS,     /* requests, and spans and gauge moves of
	                              others, on threads without an entry */
	TAILBOX__LOSS_SLOTS,       /* requests or connections without a slot */
	TAILBOX__LOSS_CONNECTIONS, /* descriptors beyond the table */
	TAILBOX__LOSS_CLOCK_STEPS, /* seconds in which the TSC jumped */
	TAILBOX__LOSS_COUNT
};

struct tailbox__tape_header { /* 4096 bytes at offset 0 */
	tailbox__a64 magic; /* stored last, released */
	uint32_t version, byte_order;
	uint64_t file_bytes;
	uint64_t names_off, threads_off, slots_off, blocks_off;
	uint32_t names_max, threads_max, slots_max, blocks_max;
	uint32_t name_bytes, thread_bytes, slot_bytes, block_bytes;
	uint32_t pid, clock_kind;
	uint64_t pid_started; /* field 22 of /proc/PID/stat */
	uint64_t clock_hz;    /* first measure; the anchors give a better one */
	uint32_t clock_res_ns, jiffy_us;
	uint64_t anchor_tick, anchor_mono_ns, anchor_wall_ns; /* at open */
	char boot_id[40], service[64], service_version[64], mhd_version[16];
	char tailbox_version[16];
	/* Holds of this many ticks or more are recorded one by one; 0 = none
	 * are, or the tape is of a version that did not know them. */
	tailbox__a64 hold_min;
	/* struct tailbox__rare and its ring; 0 = none, or the tape is of a
	 * version that did not know them. */
	uint64_t rare_off, rare_bytes;
	uint8_t pad0[40];
	/* One writer, the follower: a second anchor, refreshed. seq is odd
	 * while it changes. */
	tailbox__a64 now_seq, now_tick, now_mono_ns, now_wall_ns;
	tailbox__a64 end_state;
	tailbox__a64 recorder_on;
	tailbox__a64 switched; /* tick of the last change of it; 0 = none */
	uint8_t pad1[56];
	_Alignas(128) tailbox__a64 next_ticket;
	_Alignas(128) tailbox__a64 names_used; /* claimed, may be not ready */
	tailbox__a64 threads_used, slots_used; /* high-water marks */
	tailbox__a64 losses[TAILBOX__LOSS_COUNT];
};

/* Names. 0 is "no name". Two numbers may carry the same text (two threads
 * interned it at once): readers compare texts. */
enum {
	TAILBOX__NAME_NONE,
	TAILBOX__NAME_OTHER,     /* "{other}": the table is full */
	TAILBOX__NAME_UNMATCHED, /* "{unmatched}" */
	TAILBOX__NAME_HTTP,      /* "http" */
	TAILBOX__NAME_INGRESS,   /* "mhd.ingress" */
	TAILBOX__NAME_OK, TAILBOX__NAME_ERROR, TAILBOX__NAME_TIMEOUT,
	TAILBOX__NAME_CANCELLED, TAILBOX__NAME_REJECTED,
	TAILBOX__NAME_FIXED      /* first free number */
};

struct tailbox__name { /* 128 bytes */
	tailbox__a32 ready; /* text length plus 1, released; 0 = not yet */
	uint32_t reserved;
	uint64_t hash;
	char text[112];
};

/* What a thread does in the application: one hold = one callback. */
enum tailbox__hold {
	TAILBOX__HOLD_NONE,
	TAILBOX__HOLD_HANDLER,
	TAILBOX__HOLD_URI_LOG,
	TAILBOX__HOLD_COMPLETED,
	TAILBOX__HOLD_CONNECTION,
	TAILBOX__HOLD_READER /* of a response's content */
};

/* One entry per thread that records. Written by its thread only; the first
 * cache line is what a plain request writes. An entry is given back when the
 * thread ends and goes on under the next one. */
struct tailbox__thread_entry { /* 256 bytes */
	tailbox__a32 tid;     /* 0 = free */
	tailbox__a32 worker;  /* daemon number << 16 | 1 where MHD's worker */
	tailbox__a64 hold_since; /* tick; 0 = not in the application */
	union { /* as a word: for setting all at once */
		struct {
			tailbox__a16 hold_kind, hold_route;
			tailbox__a32 hold_slot;
		};
		tailbox__a64 hold_word;
	};
	tailbox__a64 last_seen; /* tick of its last callback's end */
	/* counters; never reset */
	tailbox__a64 begun, finished, hold_ticks, spans;
	tailbox__a64 discarded, moves;
	tailbox__a64 lost_requests, lost_spans; /* no block was free */
	tailbox__a64 late_spans;  /* request had ended, or no thread entry */
	tailbox__a64 lost_tags;
	tailbox__a64 resumes;
	tailbox__a64 connections, rejected_connections, no_request_connections;
	tailbox__a64 unaccounted_bytes; /* bytes out that no request explains */
	tailbox__a64 block_ticket[4]; /* present block, by kind; 0 = none */
	tailbox__a64 holds, lost_holds; /* recorded; no block was free */
	tailbox__a64 reserved[7];
};

enum tailbox__slot_state {
	TAILBOX__SLOT_FREE,
	TAILBOX__SLOT_IDLE,     /* a connection without a request */
	TAILBOX__SLOT_STARTING, /* the clock is being read */
	TAILBOX__SLOT_OPEN      /* a request */
};

/* Phase that an open request is in: enum tailbox__phase of core/run.h. */

/* slot.known, record.known: which fields hold a value; bit = 1 << phase for
 * durations. A field whose bit is not set holds what an earlier request left
 * there: whoever sets a field sets its bit (TAILBOX__KNOW). */
enum {
	TAILBOX__KNOWN_INGRESS = 1u << 0,
	TAILBOX__KNOWN_HEADERS = 1u << 1,
	TAILBOX__KNOWN_BODY = 1u << 2,
	TAILBOX__KNOWN_HANDLER = 1u << 3,
	TAILBOX__KNOWN_SUSPENDED = 1u << 4,
	TAILBOX__KNOWN_RESUME = 1u << 5,
	TAILBOX__KNOWN_SEND = 1u << 6,
	TAILBOX__KNOWN_BYTES_IN = 1u << 7,
	TAILBOX__KNOWN_BYTES_OUT = 1u << 8,
	TAILBOX__KNOWN_PHASE_SINCE = 1u << 9, /* else since `line` */
	TAILBOX__KNOWN_READER = 1u << 10,
	/* of a GET that was answered at once */
	TAILBOX__KNOWN_USUAL = TAILBOX__KNOWN_HEADERS |
	                       TAILBOX__KNOWN_HANDLER | TAILBOX__KNOWN_SEND
};
#define TAILBOX__KNOW(slot, bits)                                              \
	TAILBOX__SET((slot)->known, TAILBOX__GET((slot)->known) | (bits))
/* Add to a sum of the slot that `bit` guards. */
#define TAILBOX__SUM(slot, field, bit, value)                                  \
	do {                                                                   \
		if (TAILBOX__GET((slot)->known) & (bit)) {                     \
			TAILBOX__ADD((slot)->field, (value));                  \
		} else {                                                       \
			TAILBOX__SET((slot)->field, (value));                  \
			TAILBOX__KNOW((slot), (bit));                          \
		}                                                              \
	} while (0)

enum { /* slot.flags, record.flags */
	TAILBOX__REQ_CORE = 1u << 0,       /* not of MHD */
	TAILBOX__REQ_NO_HANDLER = 1u << 1, /* MHD answered by itself */
	TAILBOX__REQ_UPGRADED = 1u << 2,
	TAILBOX__REQ_BODY_DISCARDED = 1u << 3,
	TAILBOX__REQ_DISCARD = 1u << 4,    /* slot only */
	TAILBOX__REQ_SUSPENDED = 1u << 5,  /* slot only: is suspended now */
	TAILBOX__REQ_HAS_TRACE = 1u << 6,
	TAILBOX__REQ_HAS_ID = 1u << 7,
	TAILBOX__REQ_ROUTE_SET = 1u << 8,  /* slot only: by the application */
	TAILBOX__REQ_HAS_TAGS = 1u << 9    /* slot only: tag_count is valid */
};

/* An open slot: one per connection, or per request of core. Written by the
 * thread that holds the request. 384 bytes, so that the hot part is two
 * cache lines. */
struct tailbox__slot {
	/* line 0: who and since when */
	tailbox__a64 state;    /* enum tailbox__slot_state */
	tailbox__a64 number;   /* of the request; last one when IDLE */
	tailbox__a64 line;     /* tick of the request line (or begin) */
	tailbox__a64 phase_since; /* tailbox__slot_phase_since() */
	union { /* words: for setting several at once when a request begins */
		struct {
			tailbox__a16 route, kind, outcome, status;
		};
		tailbox__a64 names_word;
	};
	union {
		struct {
			tailbox__a32 thread; /* index of who runs it */
			tailbox__a32 phase;
		};
		tailbox__a64 thread_word;
	};
	union {
		struct {
			tailbox__a32 flags, known;
		};
		tailbox__a64 flags_word;
	};
	tailbox__a32 calls;    /* handler calls; valid by KNOWN_HANDLER */
	tailbox__a32 daemon;   /* number from 1, 0 = none */
	/* line 1: ticks of each phase so far */
	tailbox__a64 headers, body, handler, suspended, queued_at;
	tailbox__a64 bytes_in;
	tailbox__a64 connection; /* number in this process, from 1 */
	tailbox__a32 requests;   /* on this connection so far */
	tailbox__a32 fd;         /* descriptor plus 1; 0 = none */
	/* line 2: where it is, and what a plain request has not */
	tailbox__a64 opened;     /* tick */
	tailbox__a64 resume;
	tailbox__a64 ingress;  /* ticks before `line` */
	tailbox__a32 where;      /* name | site << 16 */
	tailbox__a32 where_kind; /* TAILBOX_SPAN_...; 0 = in no span. Read it */
	tailbox__a64 where_since; /* with tailbox__slot_where() */
	tailbox__a64 bytes_out;
	tailbox__a64 holder_number;
	tailbox__a32 holder;     /* route | thread << 16 */
	tailbox__a32 holder_ms;  /* how long it held the worker; saturating */
	/* lines 3 and 4: seldom */
	tailbox__a64 trace_hi, trace_lo, trace_parent, trace_flags;
	tailbox__a32 tags[4];    /* key name | value name << 16 */
	tailbox__a16 tag_count, id_len, reserved16[2];
	tailbox__a64 reader; /* part of sending: in the content reader */
	tailbox__a64 id_text[12]; /* TAILBOX_ID_MAX bytes */
	tailbox__a64 reserved2[4];
};

/* What span an open request is in: TAILBOX_SPAN_... or 0. One that began
 * before the request is an earlier request's that was never ended. */
static inline uint32_t tailbox__slot_where(const struct tailbox__slot *s)
{
	return TAILBOX__GET(s->where_since) >= TAILBOX__GET(s->line)
	               ? TAILBOX__GET(s->where_kind)
	               : 0;
}
/* Ticks that the request waited before its line; 0 = none known. */
static inline uint64_t tailbox__slot_ingress(const struct tailbox__slot *s)
{
	return TAILBOX__GET(s->known) & TAILBOX__KNOWN_INGRESS
	               ? TAILBOX__GET(s->ingress)
	               : 0;
}
/* Tick since when an open request is in its phase. The usual phases are told
 * by words that are there anyway; 3 and 6 are HANDLER and SEND of core/run.h.
 */
static inline uint64_t tailbox__slot_phase_since(const struct tailbox__slot *s)
{
	uint32_t known = TAILBOX__GET(s->known);
	uint32_t phase = TAILBOX__GET(s->phase);
	uint64_t line = TAILBOX__GET(s->line);

	if (phase == 6)
		return TAILBOX__GET(s->queued_at);
	if (known & TAILBOX__KNOWN_PHASE_SINCE)
		return TAILBOX__GET(s->phase_since);
	if (phase == 3 && known & TAILBOX__KNOWN_HEADERS)
		return line + TAILBOX__GET(s->headers);
	return line;
}

enum tailbox__block_kind {
	TAILBOX__BLOCK_REQUESTS = 1, /* 64-byte records */
	TAILBOX__BLOCK_SPANS = 2,    /* 32-byte records */
	TAILBOX__BLOCK_SAMPLES = 3   /* 64-byte records */
};

/* head = ticket << 8 | kind << 1 | active */
#define TAILBOX__HEAD(ticket, kind, active)                                    \
	((uint64_t)(ticket) << 8 | (uint64_t)(kind) << 1 | (uint64_t)(active))
#define TAILBOX__HEAD_TICKET(h) ((h) >> 8)
#define TAILBOX__HEAD_KIND(h) ((unsigned)((h) >> 1 & 0x7f))
#define TAILBOX__HEAD_ACTIVE(h) ((unsigned)((h) & 1))
#define TAILBOX__PUB(ticket, units) ((uint64_t)(ticket) << 16 | (units))

struct tailbox__block { /* 64 bytes, then records */
	tailbox__a64 head; /* tickets start at 1; 0 = never used */
	tailbox__a64 pub;  /* ticket << 16 | units of 32 bytes published */
	tailbox__a64 thread; /* index of the thread that writes */
	tailbox__a64 first_tick; /* when it was taken */
	tailbox__a64 order; /* among the blocks of its thread and kind, from 1;
	                       0 = its writer did not count */
	uint64_t reserved[3];
};

/* Durations as 27 bits of value and 5 of shift: exact below 2^27 ticks, then
 * within 2^-26. A request's total is rounded up and everything else down, so
 * that a child never ends after its parent. */
uint32_t tailbox__pack_long(uint64_t ticks); /* ticks >= 2^27 */
uint32_t tailbox__pack_long_up(uint64_t ticks);
static inline uint32_t tailbox__pack(uint64_t ticks)
{
	return __builtin_expect(ticks >> 27 == 0, 1) ? (uint32_t)ticks
	                                             : tailbox__pack_long(ticks);
}
static inline uint32_t tailbox__pack_up(uint64_t ticks)
{
	return __builtin_expect(ticks >> 27 == 0, 1)
	               ? (uint32_t)ticks
	               : tailbox__pack_long_up(ticks);
}
static inline uint64_t tailbox__unpack(uint32_t packed)
{
	return (uint64_t)(packed & 0x7ffffff) << (packed >> 27);
}

/* Records as readers see them: plain memory that pread filled. `type` is the
 * first byte of every record of a block of requests or samples. Writers store
 * the same bytes as 64-bit words; the hot ones put the words together by
 * shifts, because a word read back from freshly written smaller fields waits
 * for the store buffer. */
enum tailbox__record_type {
	TAILBOX__REC_REQUEST = 1,
	TAILBOX__REC_MORE = 2,  /* follows its request */
	TAILBOX__REC_TRACE = 3, /* follows its request */
	TAILBOX__REC_ID = 4,    /* follows its request; 2 of them when long */
	TAILBOX__REC_SAMPLE = 5,
	TAILBOX__REC_VALUES = 6, /* follows its sample */
	TAILBOX__REC_CONNECTION = 7, /* bytes that no request explains */
	TAILBOX__REC_READER = 8, /* follows its request */
	TAILBOX__REC_STACK = 9,  /* where a held worker was */
	TAILBOX__REC_FRAMES = 10 /* follows its stack */
};

struct tailbox__rec_request { /* 64 bytes */
	uint8_t type, more; /* more: number of records that belong to it */
	uint8_t termination, phase; /* phase at the end */
	uint16_t thread, known;
	uint64_t number;
	uint64_t line; /* tick of the request line; start = line - ingress */
	uint32_t total; /* packed, from `line`, rounded up */
	uint32_t headers, body, handler, suspended, send; /* packed */
	uint16_t route, kind;
	uint16_t outcome; /* name; 0 = from status and termination */
	uint16_t status;
	uint16_t flags, calls;
	uint32_t connection;
};

struct tailbox__rec_more { /* 64 bytes */
	uint8_t type, reserved[3];
	uint32_t ingress; /* packed; 0 = none */
	uint64_t bytes_in;
	uint64_t bytes_out; /* UINT64_MAX = not known */
	uint64_t holder_number;
	uint16_t holder_route, holder_thread;
	uint32_t holder_ms;
	uint32_t resume; /* packed */
	uint16_t daemon, tag_count;
	uint32_t tags[4]; /* key | value << 16 */
};

struct tailbox__rec_reader { /* 64 bytes */
	uint8_t type, reserved[7];
	uint64_t ticks; /* in the content reader, while sending */
	uint64_t reserved2[6];
};

struct tailbox__rec_trace { /* 64 bytes */
	uint8_t type, flags, reserved[6];
	uint64_t hi, lo, parent;
	uint64_t reserved2[4];
};

struct tailbox__rec_id { /* 64 bytes */
	uint8_t type, len, reserved[6]; /* len: bytes in this record */
	char text[56];
};

struct tailbox__rec_connection { /* 64 bytes */
	uint8_t type, reserved[3];
	uint32_t requests;
	uint64_t connection, opened, closed; /* ticks */
	uint64_t bytes_in, bytes_out; /* as TCP counts; UINT64_MAX unknown */
	uint64_t unaccounted; /* bytes out no request explains; as above */
	uint16_t daemon, thread, reserved2[2];
};

enum tailbox__span_type {
	TAILBOX__SPAN_STAGE = 1, /* = TAILBOX_SPAN_STAGE */
	TAILBOX__SPAN_WAIT = 2,  /* = TAILBOX_SPAN_WAIT */
	TAILBOX__SPAN_GAUGE_UP = 3,
	TAILBOX__SPAN_GAUGE_DOWN = 4,
	/* One callback that took long. Readers that do not know a type leave
	 * the record out, so a type more is no new version of the tape. */
	TAILBOX__SPAN_HOLD = 5
};

enum { /* rec_span.flags */
	TAILBOX__SPAN_PARTIAL = 1u << 0,
	TAILBOX__SPAN_FAILED = 1u << 1
};

/* 32 bytes; gauges: dur, depth, site are 0. Holds: flags is enum
 * tailbox__hold, name the route (0 = not known yet: it is the request's),
 * number 0 where it was for the connection, depth and site are 0. */
struct tailbox__rec_span {
	uint8_t type, flags;
	uint16_t name;
	uint32_t dur; /* packed, rounded down */
	uint64_t number; /* of the request */
	uint64_t start;  /* tick */
	uint16_t site, thread;
	uint32_t depth; /* UINT32_MAX = not told */
};

struct tailbox__rec_sample { /* 64 bytes; UINT64_MAX = null */
	uint8_t type, more; /* more: number of _VALUES records that follow */
	uint16_t reserved;
	uint32_t worker_count; /* UINT32_MAX = left out */
	uint64_t tick;
	uint64_t alive_tasks, global_queue_depth, local_queue_depth;
	uint64_t blocking_queue_depth, remote_schedule_count;
	uint64_t reserved2;
};

struct tailbox__rec_values { /* 64 bytes */
	uint8_t type, count, reserved[6]; /* count: 1..4 */
	struct {
		uint16_t metric; /* enum tailbox__metric */
		uint16_t subject; /* thread index, daemon number, name */
	} of[4];
	uint64_t reserved2;
	uint64_t value[4]; /* a name metric: name number */
};

/* Frames that a stack has at most, the innermost first. */
#define TAILBOX__STACK_DEPTH 32u

/* Why a walk along the frame pointers ended. */
enum tailbox__stack_end {
	TAILBOX__STACK_WHOLE,    /* a frame pointer of 0: the first function */
	TAILBOX__STACK_DEEP,     /* there are more than TAILBOX__STACK_DEPTH */
	TAILBOX__STACK_UNSOUND,  /* what stood there is no frame pointer */
	TAILBOX__STACK_ELSEWHERE, /* it ran on no stack of its thread */
	TAILBOX__STACK_ENDS
};

/* Where a worker was while one callback held it: by the sampler, among its
 * samples. */
struct tailbox__rec_stack { /* 64 bytes */
	uint8_t type, more; /* more: number of _FRAMES records that follow */
	uint8_t count;      /* frames in them */
	uint8_t end;        /* enum tailbox__stack_end */
	uint32_t thread;    /* index of the worker */
	uint64_t tick;      /* when it was there */
	uint64_t hold;      /* tick of the hold's start */
	uint64_t number;    /* of the request; 0 = for the connection */
	uint16_t route;     /* 0 = not known yet: it is the request's */
	uint8_t kind, reserved; /* enum tailbox__hold */
	uint32_t tid;
	uint32_t guessed;   /* bit n: frame n was found lying on the stack, no
	                       frame pointer led to it */
	uint32_t reserved2;
	uint64_t reserved3[2];
};

struct tailbox__rec_frames { /* 64 bytes */
	uint8_t type, count, reserved[6]; /* count: 1..7 */
	uint64_t frame[7];
};
#define TAILBOX__FRAMES_PER_RECORD 7u

/* A frame: the names of its module's path and build id (0 = not known), and
 * the address as that file counts; the whole address, of at most 48 bits,
 * where it is in no module, or so far into one. */
#define TAILBOX__FRAME(path, build, offset)                                    \
	((uint64_t)(path) | (uint64_t)(build) << 16 | (uint64_t)(offset) << 32)
#define TAILBOX__FRAME_ANYWHERE(address) ((uint64_t)(address) << 16)
static inline uint16_t tailbox__frame_path(uint64_t frame)
{
	return (uint16_t)frame;
}
static inline uint16_t tailbox__frame_build(uint64_t frame)
{
	return tailbox__frame_path(frame) ? (uint16_t)(frame >> 16) : 0;
}
static inline uint64_t tailbox__frame_offset(uint64_t frame)
{
	return frame >> (tailbox__frame_path(frame) ? 32 : 16);
}

/* --- rare requests ------------------------------------------------------- */

/* Slow, failed and cancelled requests that the follower has copied out of the
 * blocks, each with its spans: a ring with one writer. Places count the bytes
 * ever written, so that a place is of one entry and its byte in the ring is
 * place mod ring. The writer moves `first` on, over what it is about to
 * overwrite, before it writes, and `next` after it; so a reader that reads an
 * entry and then finds that `first` has not passed it has read it whole. What
 * is between the two when the writer is killed is whole, too. */
struct tailbox__rare { /* 128 bytes, then the ring */
	tailbox__a64 first; /* place of the oldest entry */
	tailbox__a64 next;  /* place of the next one */
	tailbox__a64 kept, overwritten; /* ever; entries */
	tailbox__a64 passed_over; /* too many at once: not kept */
	tailbox__a64 cut_spans; /* of what was kept, beyond the maximum */
	tailbox__a64 slow; /* ticks: as slow as this; 0 = slow ones are not */
	uint64_t reserved[9];
};

enum { /* kept.why */
	TAILBOX__RARE_SLOW = 1u << 0,
	TAILBOX__RARE_FAILED = 1u << 1,
	TAILBOX__RARE_CANCELLED = 1u << 2,
	/* No reason: some of its spans may have been overwritten before it
	 * was kept. */
	TAILBOX__RARE_INCOMPLETE = 1u << 3
};

/* "KEPT" */
#define TAILBOX__KEPT_MAGIC 0x5450454bu
#define TAILBOX__KEPT_UNITS_MAX 8u  /* records of a request */
#define TAILBOX__KEPT_SPANS_MAX 64u /* its stages and waits */

/* An entry: this, the records of a request, its spans. A multiple of 32. */
struct tailbox__kept { /* 64 bytes */
	uint32_t magic;
	uint32_t checksum; /* CRC-32 of the entry, with 0 here */
	uint64_t at;       /* its place */
	uint32_t bytes;    /* of the entry */
	uint16_t units, spans; /* records of 64 and of 32 bytes */
	uint32_t cut_spans; /* it had more: the longest are here */
	uint32_t why;       /* TAILBOX__RARE_... */
	uint64_t reserved[4];
};

#define TAILBOX__KEPT_BYTES_MAX                                                \
	(64u + 64u * TAILBOX__KEPT_UNITS_MAX + 32u * TAILBOX__KEPT_SPANS_MAX)

#endif
