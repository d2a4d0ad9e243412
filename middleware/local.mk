area_HEADERS += \
	middleware/tailbox/mhd.h \
	middleware/tailbox/mhd_drop_in.h \
	middleware/tailbox/ulfius.h \
	middleware/tailbox/ulfius_route.h
libtailbox_all_la_SOURCES += \
	middleware/connections.c \
	middleware/daemon.c \
	middleware/drop_in.c \
	middleware/handler.c \
	middleware/hooks.c \
	middleware/ingress.c \
	middleware/options.c \
	middleware/phases.c \
	middleware/reader.c \
	middleware/route.c \
	middleware/suspend.c \
	middleware/tasks.c \
	middleware/tcp_info.c \
	middleware/trace.c \
	middleware/connections.h \
	middleware/daemon.h \
	middleware/hint.h \
	middleware/hooks.h \
	middleware/ingress.h \
	middleware/options.h \
	middleware/route.h \
	middleware/tasks.h \
	middleware/tcp_info.h
