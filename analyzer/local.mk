# A library of its own, so that suites can link it; only the command and tests
# do, never a service.
if HAVE_COMMAND
noinst_LTLIBRARIES += libtailbox-analyzer.la
endif
libtailbox_analyzer_la_LIBADD = $(YAJL_LIBS)
libtailbox_analyzer_la_SOURCES += \
	analyzer/json_filter.c \
	analyzer/json_in.c \
	analyzer/json_tree.c \
	analyzer/load.c \
	analyzer/load_ext.c \
	analyzer/load_ext_fields.c \
	analyzer/load_fail.c \
	analyzer/load_json.c \
	analyzer/load_shapes.c \
	analyzer/load_values.c \
	analyzer/timeline.c \
	analyzer/timeline_draw.c \
	analyzer/timeline_head.c \
	analyzer/timeline_json.c \
	analyzer/timeline_model.c \
	analyzer/timeline_request.c \
	analyzer/timeline_rows.c \
	analyzer/timeline_text.c \
	analyzer/json_filter.h \
	analyzer/json_in.h \
	analyzer/json_tree.h \
	analyzer/load.h \
	analyzer/load_ext.h \
	analyzer/load_json.h \
	analyzer/timeline.h \
	analyzer/timeline_model.h \
	analyzer/timeline_text.h
