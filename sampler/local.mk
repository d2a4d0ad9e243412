area_HEADERS += \
	sampler/tailbox/pool.h \
	sampler/tailbox/sample.h
libtailbox_all_la_SOURCES += \
	sampler/cgroup.c \
	sampler/listen.c \
	sampler/machine.c \
	sampler/modules.c \
	sampler/pools.c \
	sampler/proc.c \
	sampler/sample.c \
	sampler/sampler.c \
	sampler/scan.c \
	sampler/stack.c \
	sampler/stack_place.c \
	sampler/stack_walk.c \
	sampler/workers.c \
	sampler/cgroup.h \
	sampler/listen.h \
	sampler/machine.h \
	sampler/modules.h \
	sampler/pools.h \
	sampler/proc.h \
	sampler/sample.h \
	sampler/sampler.h \
	sampler/scan.h \
	sampler/stack.h \
	sampler/stack_place.h \
	sampler/stack_walk.h \
	sampler/values.h \
	sampler/workers.h
