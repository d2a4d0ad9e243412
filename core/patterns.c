/* core/patterns.c - the route patterns in force.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/patterns.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "core/alloc.h"
#include "core/config.h"

struct tailbox__patterns tailbox__patterns = { .generation = 1 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tailbox__pattern_set *sets; /* all since the start */
static struct tailbox__pattern_set *past; /* those of the start before */
static uint32_t set_count;

static bool is_same(const struct tailbox__pattern_set *s,
                    const struct tailbox__config_list *list)
{
	if (s->count != list->count)
		return false;
	for (uint32_t i = 0; i < s->count; i++)
		if (strcmp(s->items[i].text, list->items[i]) != 0)
			return false;
	return true;
}

static struct tailbox__pattern_set *make(const struct tailbox__config_list *l)
{
	struct tailbox__pattern_set *s;

	s = tailbox__zalloc(1, sizeof(*s) + l->count * sizeof(s->items[0]));
	if (s == NULL)
		return NULL;
	s->count = l->count;
	for (uint32_t i = 0; i < l->count; i++) {
		struct tailbox__pattern *p = &s->items[i];
		p->len = (uint32_t)strnlen(l->items[i], TAILBOX_NAME_MAX);
		memcpy(p->text, l->items[i], p->len);
	}
	s->older = sets;
	sets = s;
	set_count++;
	return s;
}

/* The set for a list, new or from before. */
static int find(const struct tailbox__config_list *list,
                const struct tailbox__pattern_set **out)
{
	struct tailbox__pattern_set *s = sets;

	*out = NULL;
	if (list->count == 0)
		return 0;
	while (s != NULL && !is_same(s, list))
		s = s->older;
	if (s == NULL && set_count >= TAILBOX__PATTERN_SETS_MAX)
		return -ENOSPC;
	if (s == NULL)
		s = make(list);
	*out = s;
	return s != NULL ? 0 : -ENOMEM;
}

static void publish(const struct tailbox__pattern_set *s)
{
	uint32_t next;

	if (atomic_load_explicit(&tailbox__patterns.set,
	                         memory_order_relaxed) == s)
		return;
	/* Pairs with tailbox__patterns_get(). */
	atomic_store_explicit(&tailbox__patterns.set, s, memory_order_release);
	next = atomic_load_explicit(&tailbox__patterns.generation,
	                            memory_order_relaxed) + 1;
	/* Pairs with tailbox__patterns_generation(). */
	atomic_store_explicit(&tailbox__patterns.generation,
	                      next != 0 ? next : 1, memory_order_release);
}

int tailbox__patterns_set(const struct tailbox__config_list *list)
{
	const struct tailbox__pattern_set *s;
	int rc;

	pthread_mutex_lock(&lock);
	rc = find(list, &s);
	if (rc == 0)
		publish(s);
	pthread_mutex_unlock(&lock);
	return rc;
}

void tailbox__patterns_clear(void)
{
	pthread_mutex_lock(&lock);
	publish(NULL);
	while (past != NULL) {
		struct tailbox__pattern_set *s = past;
		past = s->older;
		tailbox__free(s);
	}
	past = sets;
	sets = NULL;
	set_count = 0;
	pthread_mutex_unlock(&lock);
}

void tailbox__patterns_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
}
