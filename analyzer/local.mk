# A library of its own, so that suites can link it; only the command and tests
# do, never a service.
if HAVE_COMMAND
noinst_LTLIBRARIES += libtailbox-analyzer.la
endif
libtailbox_analyzer_la_LIBADD = $(YAJL_LIBS)
libtailbox_analyzer_la_SOURCES += \
	analyzer/analyze.c \
	analyzer/anatomy.c \
	analyzer/anatomy_text.c \
	analyzer/attribute.c \
	analyzer/bootstrap.c \
	analyzer/bootstrap_interval.c \
	analyzer/compare.c \
	analyzer/compare_json.c \
	analyzer/compare_rows.c \
	analyzer/compare_side.c \
	analyzer/compare_text.c \
	analyzer/figures.c \
	analyzer/index.c \
	analyzer/json_filter.c \
	analyzer/json_in.c \
	analyzer/json_tree.c \
	analyzer/load.c \
	analyzer/load_ahead.c \
	analyzer/load_ext.c \
	analyzer/load_ext_fields.c \
	analyzer/load_fail.c \
	analyzer/load_json.c \
	analyzer/load_shapes.c \
	analyzer/load_values.c \
	analyzer/options.c \
	analyzer/options_check.c \
	analyzer/options_help.c \
	analyzer/options_load.c \
	analyzer/options_path.c \
	analyzer/options_set.c \
	analyzer/options_table.c \
	analyzer/quality.c \
	analyzer/rank.c \
	analyzer/report.c \
	analyzer/report_json.c \
	analyzer/report_page.c \
	analyzer/report_text.c \
	analyzer/routes.c \
	analyzer/segments.c \
	analyzer/series.c \
	analyzer/suspect_stage.c \
	analyzer/suspects.c \
	analyzer/timeline.c \
	analyzer/timeline_draw.c \
	analyzer/timeline_head.c \
	analyzer/timeline_json.c \
	analyzer/timeline_model.c \
	analyzer/timeline_request.c \
	analyzer/timeline_rows.c \
	analyzer/timeline_text.c \
	analyzer/trend.c \
	analyzer/warnings.c \
	analyzer/analysis.h \
	analyzer/anatomy.h \
	analyzer/bootstrap.h \
	analyzer/compare.h \
	analyzer/compare_internal.h \
	analyzer/json_filter.h \
	analyzer/json_in.h \
	analyzer/json_tree.h \
	analyzer/load.h \
	analyzer/load_ahead.h \
	analyzer/load_ext.h \
	analyzer/load_json.h \
	analyzer/options.h \
	analyzer/options_internal.h \
	analyzer/report.h \
	analyzer/report_page.h \
	analyzer/timeline.h \
	analyzer/timeline_model.h \
	analyzer/timeline_text.h
